"""Properties are drawn from fixed seeds: the same examples on every machine, as many as each test asks for, however
long a busy one takes: no test is of time."""

from hypothesis import settings

settings.register_profile("fixed", derandomize=True, database=None, deadline=None)
settings.load_profile("fixed")
