"""A cohort as groups: by a public seed, so that the server does not choose who is beside whom."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from ...errors import InvalidInput
from .terms import MEMBERS


def groups(names: Iterable[str], seed: str, most: int = MEMBERS) -> list[tuple[str, ...]]:
    """``names`` in as few groups of at most ``most`` as there can be, whose sizes differ by at most one; each sorted.

    In the order of SHA-256 of seed and name: anyone finds the same. Raises ``InvalidInput``.
    """
    names = sorted(set(names))
    if not 2 <= most <= MEMBERS:
        raise InvalidInput("group", most, f"a group has 2 to {MEMBERS} members")
    if len(names) < 2:
        raise InvalidInput("cohort", len(names), "a sum of fewer than two is no secret")
    order = sorted(names, key=lambda name: hashlib.sha256(f"{seed}\n{name}".encode()).digest())
    count = -(-len(order) // most)
    return [tuple(sorted(order[i::count])) for i in range(count)]
