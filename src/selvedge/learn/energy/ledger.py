"""What was spent in the last day, as exact sums of whole numbers; the day is any 24 hours, and of no calendar."""

from __future__ import annotations

from ...errors import InvalidInput

SECOND = 1_000_000  # of the microseconds in which time is counted
SLOT = 900 * SECOND
# Two moments within 24 h are at most 96 slots apart; 97 where each is up to a slot behind its entry.
SLOTS = 98
_MOST = 1 << 62


class Ledger:
    """A ring of ``SLOTS`` sums of 15 minutes each; the oldest is forgotten when the next begins.

    Hence an entry counts for 24 h 15 min to 24 h 30 min, and whatever is spent within 15 minutes of its entry is in
    :attr:`total` together with all that is spent within 24 hours of it.
    """

    def __init__(self) -> None:
        self.slots = [0] * SLOTS  # newest first
        self.total = 0

    def pass_slots(self, n: int) -> None:
        """``n`` slots end."""
        if n:
            self.slots = ([0] * min(n, SLOTS) + self.slots)[:SLOTS]
            self.total = sum(self.slots)

    def enter(self, amount: int, ago: int = 0) -> None:
        """``amount``, which may be less than 0, in the slot that began ``ago`` slots before this one."""
        if ago < SLOTS:
            self.slots[ago] = min(self.slots[ago] + amount, _MOST)
            self.total = sum(self.slots)

    def load(self, slots: list[int]) -> None:
        if min(slots) < 0 or max(slots) > _MOST:
            raise InvalidInput("governor state", "with an amount below 0", "give what state_dict() gave")
        self.slots, self.total = slots, sum(slots)
