"""What a member demands of a group before it takes part, whatever the server says."""

from __future__ import annotations

from dataclasses import dataclass

from ...errors import InvalidInput
from .terms import MEMBERS
from .threshold import majority, two_thirds


@dataclass(frozen=True, slots=True)
class Demands:
    """``members``: of a group, at least. ``colluders``: whether up to a third of them may help the server; then the
    threshold is two thirds, else a majority. ``covered``: members that each element of a sum has, at least. ``run``,
    ``rules``: of the one run that was joined, as its terms name it and what it promised; "": any.

    Raises ``InvalidInput``.
    """

    members: int = 3
    colluders: bool = False
    covered: int = 2
    run: str = ""
    rules: str = ""

    def __post_init__(self) -> None:
        for field in ("members", "covered"):
            if not 2 <= getattr(self, field) <= MEMBERS:
                raise InvalidInput(field, getattr(self, field), f"2 to {MEMBERS}")

    def threshold(self, members: int) -> int:
        """The least for so many members."""
        return two_thirds(members) if self.colluders else majority(members)

    @property
    def least(self) -> int:
        """Members that any sum of such a group is of, at least."""
        return max(self.threshold(self.members), self.covered)
