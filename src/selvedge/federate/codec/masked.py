"""Changes as whole numbers of a step that all share, which add up unseen: places, step and rounding of a masked
round."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from math import isfinite

import numpy as np
import numpy.typing as npt

from ...learn.draws import Draws
from .codec import Codec, Malformed, Vector
from .ints import Ints
from .raw import Raw
from .seeded import Seeded, drawn
from .top import kept

IntVector = npt.NDArray[np.int32]
LOSS = 12  # bits of a loss behind its point
LOSS_BITS = 24  # and of all of it: one that is larger, or none, is said to be the largest
TEXT = re.compile(r"seeded:([0-9.e-]+)\+masked(\d+)@(0x[0-9a-f.]+p[+-]\d+)#(\d+)")
CLIPPED = 0.005  # of all elements, that the step is to leave out
PACE = 0.1  # the power of what was clipped over that, by which a step grows: of normal changes it does not overshoot
FASTEST = 2.0  # times, in a round


@dataclass(frozen=True, slots=True)
class Told:
    """A sum that was read, of all members: ``values``: int64 [len(places)], in steps; ``clipped``: elements that were
    beyond the end of the range; ``loss``: in steps of 2**-LOSS."""

    values: npt.NDArray[np.int64]
    clipped: int
    loss: int


@dataclass(frozen=True)
class Maskable:
    """``share`` of ``elements``, one drawn by ``seed`` out of each stretch, each as a whole number of ``step``, rounded
    by lot, at most 2**(``bits`` - 1) - 1 of them; behind these how many were cut to that, and the loss, in digits of
    bits - 1 bits.

    All members send values of the same places and step: their sum is read as one member's values are.
    """

    elements: int
    share: float
    bits: int
    step: float
    seed: int

    def __str__(self) -> str:
        """All of it but the elements, exactly: what the members of a group agree on."""
        return f"seeded:{self.share!r}+masked{self.bits}@{self.step.hex()}#{self.seed}"

    @classmethod
    def of(cls, text: str, elements: int) -> Maskable:
        """What :meth:`__str__` has written. Raises ``Malformed``."""
        found = TEXT.fullmatch(text)
        try:
            if found is None:
                raise ValueError(text)
            made = cls(elements, float(found[1]), int(found[2]), float.fromhex(found[3]), int(found[4]))
        except (ValueError, OverflowError):
            raise Malformed(f"a codec that is none of masked rounds, {text[:80]}") from None
        good = 0 < made.share <= 1 and 2 <= made.bits <= 16 and made.step > 0 and isfinite(made.step * made.end)
        if not good or made.seed >= 1 << 64 or str(made) != text:
            raise Malformed(f"a codec of masked rounds that cannot be, {text[:80]}")
        return made

    @property
    def end(self) -> int:
        """The largest value."""
        return (1 << (self.bits - 1)) - 1

    @cached_property
    def places(self) -> npt.NDArray[np.int64]:
        """Rising, of the elements that are sent."""
        return drawn(self.elements, kept(self.share, self.elements), self.seed)

    @property
    def size(self) -> int:
        """Values in all."""
        sent = kept(self.share, self.elements)
        return sent + self._digits(sent.bit_length()) + self._digits(LOSS_BITS)

    def encode(self, whole: Vector, loss: float, draws: Draws) -> tuple[IntVector, Vector]:
        """(int32 [size], what is left of ``whole`` for the next time: float32 [elements]). whole: finite float32
        [elements].

        What was beyond the end of the range is given up, not left: kept, it would come all at once when the step has
        grown, and the model would overshoot.
        """
        chosen = self.places
        scaled = whole[chosen].astype(np.float64) / self.step
        clipped = int(np.count_nonzero(np.abs(scaled) > self.end))
        np.clip(scaled, -self.end, self.end, out=scaled)
        codes = np.minimum(np.floor(scaled + draws.uniform(len(chosen))), self.end).astype(np.int32)
        left = whole.copy()
        left[chosen] = ((scaled - codes) * self.step).astype(np.float32)
        most = (1 << LOSS_BITS) - 1
        fixed = round(min(max(loss, 0.0) * 2.0**LOSS, most)) if isfinite(loss) else most
        return np.concatenate(
            [codes, self._written(clipped, len(chosen).bit_length()), self._written(fixed, LOSS_BITS)]
        ), left

    def decode(self, total: npt.NDArray[np.int64]) -> Told:
        """total: int64 [size], of all members. Raises ``Malformed`` for another size."""
        if len(total) != self.size:
            raise Malformed(f"a sum of {len(total):,} values where {self.size:,} are due")
        sent = len(self.places)
        digits = self._digits(sent.bit_length())
        return Told(total[:sent], self._read(total[sent : sent + digits]), self._read(total[sent + digits :]))

    def _digits(self, bits: int) -> int:
        return -(-bits // (self.bits - 1))

    def _written(self, number: int, bits: int) -> IntVector:
        """In digits, the lowest first: digit by digit they add up as the numbers do."""
        each = self.bits - 1
        return np.array([number >> i * each & self.end for i in range(self._digits(bits))], np.int32)

    def _read(self, digits: npt.NDArray[np.int64]) -> int:
        return sum(int(d) << i * (self.bits - 1) for i, d in enumerate(digits))


def share_of(up: Codec, bits: int) -> float | None:
    """Of all elements, those that a codec of a run's settings sends, where masked values of so many bits can stand in
    its place: of a float32, which says nothing of them, and of as many bits. None: of no other."""
    if isinstance(up, Seeded):
        inner = share_of(up.inner, bits)
        return None if inner is None else up.share * inner
    return 1.0 if up == Raw() or (isinstance(up, Ints) and up.bits == bits) else None


def next_step(step: float, clipped: int, values: int, largest: float) -> float:
    """The step of the next round, by what was clipped of all members' values: by a power of its share over
    :data:`CLIPPED`, a geometric update as Andrew et al. have it (NeurIPS 2021, arXiv:1905.03871). largest: no step
    is."""
    share = max(clipped, 0.5) / values
    factor = (share / CLIPPED) ** PACE
    return float(min(step * min(max(factor, 1 / FASTEST), FASTEST), largest))
