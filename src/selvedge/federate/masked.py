"""How a masked run goes: the server adds up what it cannot read, and learns the sum alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ..artifact.number import finite
from ..errors import InvalidInput
from .masking.demands import Demands
from .masking.threshold import majority, two_thirds

THRESHOLDS = ("half", "two-thirds")
MOST = 512  # members of a group
FEWEST = Demands().members  # of a group, that a sum may be of at all
MEMBERS = 8  # and that a device agrees to, unless its owner says otherwise


@dataclass(frozen=True, slots=True)
class Masked:
    """bits: of a value, with its sign, 2 to 16; on the wire it has log2 of its group's members, rounded up, besides.
    group: members at the most; a larger cohort is dealt to several groups by a public seed, each of which has a sum of
    its own. members: of each group, at the least, which its devices are told when they are invited, and hold it to.
    threshold: of a group's n members, who are needed to unmask it: ``half``, n // 2 + 1, which is for a server that
    lies while no member helps it; ``two-thirds``, of all, rounded up, for a third that do; what such a server can do
    all the same: docs/secure.md, what stays open.
    covered: members that are in each sum at the least: a device answers for no smaller one. stage: seconds that a stage
    may take, but for that of learning, which has the ``deadline`` of the run."""

    bits: int = 4
    group: int = 64
    threshold: Literal["half", "two-thirds"] = "half"
    covered: int = 2
    stage: float = 60.0
    members: int = MEMBERS

    def __post_init__(self) -> None:
        for name, low, high in (
            ("bits", 2, 16),
            ("group", FEWEST, MOST),
            ("covered", 2, MOST),
            ("members", FEWEST, MOST),
        ):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
                raise InvalidInput(f"masked {name}", value, f"give a whole number, {low} to {high}")
        if self.threshold not in THRESHOLDS:
            raise InvalidInput("masked threshold", self.threshold, f"give {' or '.join(THRESHOLDS)}")
        for name in ("covered", "members"):
            if getattr(self, name) > self.group:
                fix = f"a group has at most {self.group}: give at most that"
                raise InvalidInput(f"masked {name}", getattr(self, name), fix)
        number = finite(self.stage)
        if number is None or number <= 0:
            raise InvalidInput("masked stage", self.stage, "give seconds, a finite number above 0")

    @property
    def demands(self) -> Demands:
        """What a device of such a run demands of each group."""
        return Demands(self.members, self.threshold == "two-thirds", self.covered)

    @property
    def fewest(self) -> int:
        """Members that a group has at least."""
        return max(self.members, self.covered)

    def needed(self, members: int) -> int:
        """Who must be there to the end, of so many: the threshold, and no fewer than ``covered``."""
        return max(majority(members) if self.threshold == "half" else two_thirds(members), self.covered)
