"""Properties are drawn from fixed seeds: the same examples on every machine, as many as each test asks for."""

from hypothesis import settings

settings.register_profile("fixed", derandomize=True, database=None)
settings.load_profile("fixed")
