"""Policies by text, for command lines."""

from __future__ import annotations

from ...errors import InvalidInput
from .balanced import Balanced
from .diverse import Diverse
from .policy import Policy
from .reservoir import Reservoir

POLICIES: dict[str, type[Policy]] = {"reservoir": Reservoir, "balanced": Balanced, "diverse": Diverse}


def policy(given: Policy | str) -> Policy:
    """``given``, or what its text names. Raises ``InvalidInput`` for another text."""
    if not isinstance(given, str):
        return given
    if given not in POLICIES:
        raise InvalidInput("policy", given, f"give one of {', '.join(POLICIES)}")
    return POLICIES[given]()
