"""A cohort of several groups: the sum of those that came through, and why the others did not."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from ..message import Refused
from .group import Group
from .ring import IntVector


@dataclass(frozen=True, slots=True)
class Sum:
    """``total``: int64 [size], of the values of ``members``. ``dropped``: group -> why it failed."""

    total: IntVector
    members: tuple[str, ...]
    dropped: Mapping[int, str]


def together(groups: Iterable[Group]) -> Sum:
    """The sum of all ``groups`` that are done. Raises :class:`Refused` where none is, and while one is under way."""
    groups = list(groups)
    if under_way := [group.terms.group for group in groups if group.stage not in ("done", "failed")]:
        raise Refused(f"group {under_way[0]} is under way")
    dropped = {group.terms.group: group.why for group in groups if group.stage == "failed"}
    parts = [group.total() for group in groups if group.stage == "done"]
    if not parts:
        raise Refused("no group came through: " + "; ".join(f"group {n}: {why}" for n, why in dropped.items()))
    total = np.zeros_like(parts[0][0])
    for part, _ in parts:
        total += part
    return Sum(total, tuple(sorted(name for _, names in parts for name in names)), dropped)
