"""Changes as whole numbers with noise, of which a masked sum is made that tells little of anybody."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from math import ceil, floor, isfinite, log2

import numpy as np
import numpy.typing as npt

from ...errors import InvalidInput
from ..privacy.accountant import Release
from ..privacy.clip import bounded, inflated, rounded
from ..privacy.distributed import TAIL, local_sigma, release
from ..privacy.gaussian_sum import Drawn
from ..privacy.noise import discrete_gaussian
from ..privacy.randomness import Source, system
from .codec import Malformed, Vector
from .masked import IntVector, Told
from .seeded import drawn
from .top import kept

NUMBER = r"(0x[0-9a-f.]+p[+-]\d+)"
TEXT = re.compile(rf"seeded:([0-9.e-]+)\+noised(\d+)@{NUMBER}#(\d+):{NUMBER}\*{NUMBER}/(\d+)")


@dataclass(frozen=True)
class Noised:
    """``share`` of ``elements``, one drawn by ``seed`` out of each stretch, cut to an L2 norm of ``clip``, each as a
    whole number of ``step``, rounded by lot, with noise, of at most ``bits`` bits with its sign. No count and no loss
    is behind them, and nothing is left for the next time: what earlier rounds left would be beyond the clip.

    The noise of any ``honest`` members is together ``noise`` times what one member can move the sum by: so many there
    must be whose values are in a sum and who do not tell theirs.

    There is room in ``bits`` for the longest change and :data:`~..privacy.distributed.TAIL` (12) deviations of noise:
    an element of a member is beyond with a probability of 2 exp(-72) < 2e-31, and is then the end of the range, so that
    nothing ever wraps. Raises ``InvalidInput`` where there is no such room, and for noise below half a step.
    """

    elements: int
    share: float
    bits: int
    step: float
    seed: int
    clip: float
    noise: float
    honest: int

    def __post_init__(self) -> None:
        need = ceil(self.clip / self.step) + ceil(TAIL * self.sigma)
        if need > self.end:
            said = f"{self.bits}, for a clip of {self.clip:g}, noise {self.noise:g} and {self.honest} honest members"
            fix = f"in steps of {self.step:g} values reach {need:,}, and there is room for {self.end:,}: give more bits"
            raise InvalidInput("masked bits", said, fix)
        self.release()

    def __str__(self) -> str:
        """All of it but the elements, exactly: what the members of a group agree on."""
        noise = f"{self.clip.hex()}*{self.noise.hex()}/{self.honest}"
        return f"seeded:{self.share!r}+noised{self.bits}@{self.step.hex()}#{self.seed}:{noise}"

    @classmethod
    def of(cls, text: str, elements: int) -> Noised:
        """What :meth:`__str__` has written. Raises ``Malformed``."""
        found = TEXT.fullmatch(text)
        try:
            if found is None:
                raise ValueError(text)
            share, bits, seed, honest = float(found[1]), int(found[2]), int(found[4]), int(found[7])
            step, clip, noise = (bounded("noise", float.fromhex(found[i])) for i in (3, 5, 6))
            if not (0 < share <= 1 and 2 <= bits <= 16 and seed < 1 << 64 and 1 <= honest < 1 << 16):
                raise ValueError(text)
            made = cls(elements, share, bits, step, seed, clip, noise, honest)
        except (ValueError, OverflowError, InvalidInput):
            raise Malformed(f"no codec of masked rounds with noise, {text[:80]}") from None
        if str(made) != text:
            raise Malformed(f"a codec of masked rounds that is written in another way, {text[:80]}")
        return made

    @staticmethod
    def sent(elements: int, share: float) -> int:
        """Values in all."""
        return kept(share, elements)

    @property
    def size(self) -> int:
        return self.sent(self.elements, self.share)

    @property
    def end(self) -> int:
        """The largest value."""
        return (1 << (self.bits - 1)) - 1

    @cached_property
    def places(self) -> npt.NDArray[np.int64]:
        """Rising, of the elements that are sent."""
        return drawn(self.elements, self.size, self.seed)

    @property
    def bound(self) -> float:
        """The L2 norm in steps that a member's values have at most, before noise."""
        return inflated(self.clip / self.step, self.size)

    @property
    def sigma(self) -> float:
        """Of a member's noise, in steps."""
        return local_sigma(self.noise, self.bound, self.honest)

    def release(self) -> Release:
        """What a sum tells, for the accountant."""
        return release(self.noise, self.bound, self.honest, self.size)

    def encode(self, change: Vector, source: Source = system, noise: Drawn = discrete_gaussian) -> IntVector:
        """int32 [size]: of ``change``, finite float32 [elements]. noise: for an audit of what is without, or a test of
        what was drawn."""
        values = rounded(change[self.places], self.clip, self.step, source)
        made = values + noise(self.size, self.sigma, source)
        return np.asarray(np.clip(made, -self.end, self.end), np.int32)

    def decode(self, total: npt.NDArray[np.int64]) -> Told:
        """total: int64 [size], of all members. Raises ``Malformed`` for another size."""
        if len(total) != self.size:
            raise Malformed(f"a sum of {len(total):,} values where {self.size:,} are due")
        return Told(total, 0, 0)


def finest(bits: int, size: int, clip: float, noise: float, honest: int) -> float:
    """The finest step, a power of two, in which the longest change of ``size`` elements and its noise have room in
    ``bits``; where none has, one that :class:`Noised` refuses."""
    step, end = 2.0 ** floor(log2(bounded("clip", clip))), (1 << (bits - 1)) - 1

    def fits(step: float) -> bool:
        sigma = local_sigma(noise, inflated(clip / step, size), honest)
        return isfinite(sigma) and ceil(clip / step) + ceil(TAIL * sigma) <= end

    while fits(step / 2):
        step /= 2
    return step
