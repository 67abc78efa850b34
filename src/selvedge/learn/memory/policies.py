"""Policies by text, for command lines."""

from __future__ import annotations

from ...errors import InvalidInput
from .balanced import Balanced
from .diverse import Diverse
from .policy import Policy
from .reservoir import Reservoir

POLICIES: dict[str, type[Policy]] = {"reservoir": Reservoir, "balanced": Balanced, "diverse": Diverse}


def policy(given: Policy | str) -> Policy:
    """``given``, or what its text names. Raises ``InvalidInput`` for anything else."""
    if isinstance(given, str) and given in POLICIES:
        return POLICIES[given]()
    if isinstance(given, str | type) or not isinstance(given, Policy):
        raise InvalidInput("policy", given, f"give one of {', '.join(POLICIES)}")
    return given
