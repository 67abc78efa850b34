"""Noise that the members of masked groups add, as the server plans it and counts what it is told."""

from __future__ import annotations

from ...errors import InvalidInput
from ..codec.noised import Noised, finest
from ..masked import Masked
from ..masking.threshold import withstood
from .accountant import Accountant, Release
from .budget import why_not
from .settings import Privacy


class Shared:
    """Of a run with groups of ``masked`` and cohorts of at most ``clients`` devices, over a model of ``elements``
    elements of which a round has ``share``. Each member adds so much that those without whom there is no sum, less
    ``privacy.colluders``, have all of the noise together: of a larger group each adds less.

    Every round that was opened is counted, whether a model came of it or not: the server may have read a sum.

    Raises ``InvalidInput`` where the smallest group has nobody left to add noise, where ``colluders`` are so many that
    the masks do not hold against them, and where values and noise have no room in ``masked.bits``.
    """

    def __init__(self, privacy: Privacy, masked: Masked, elements: int, share: float, clients: int) -> None:
        self.privacy, self._masked, self._elements, self._share = privacy, masked, elements, share
        smallest, self._largest = masked.fewest, max(masked.fewest, min(masked.group, clients))
        if self._honest(smallest) < 1:
            needed = masked.needed(smallest)
            fix = f"of a group of {smallest}, {needed} are in a sum at the least: give fewer, or a larger covered"
            raise InvalidInput("privacy colluders", privacy.colluders, fix)
        sizes = range(smallest, self._largest + 1)
        weakest = min(sizes, key=lambda members: withstood(members, masked.needed(members)))
        if (most := withstood(weakest, masked.needed(weakest))) < privacy.colluders:
            fix = f"with {masked.needed(weakest)} of {weakest} members a server that lies reads a single one by more "
            fix += f"than {most} helpers: give threshold='two-thirds', or fewer"
            raise InvalidInput("privacy colluders", privacy.colluders, fix)
        size = Noised.sent(elements, share)
        # All groups have one step, that of the smallest, whose members add most: their sums are added up in steps.
        self.step = finest(masked.bits, size, privacy.clip, privacy.noise, self._honest(smallest))
        for members in (smallest, self._largest):
            self.codec(members, 0)

    def codec(self, members: int, seed: int) -> Noised:
        """Of a group of so many."""
        p = self.privacy
        return Noised(
            self._elements, self._share, self._masked.bits, self.step, seed, float(p.clip), float(p.noise),
            self._honest(members),
        )  # fmt: skip

    def release(self) -> Release:
        """A round, of the largest group: the more parts a Gaussian is of, the further it is from one."""
        return self.codec(self._largest, 0).release()

    def spent(self, rounds: int) -> Accountant:
        """What so many rounds have told."""
        return Accountant([(self.release(), rounds)] if rounds else [])

    def why_not(self, rounds: int) -> str:
        """Why there is no round behind ``rounds``, or ""."""
        return why_not(self.privacy.budget, self.spent(rounds), self.release(), rounds)

    def _honest(self, members: int) -> int:
        return self._masked.needed(members) - self.privacy.colluders
