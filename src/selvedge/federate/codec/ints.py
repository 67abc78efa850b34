"""Whole numbers of a few bits, rounded by lot (QSGD, Alistarh et al., NeurIPS 2017, arXiv:1610.02132)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...errors import InvalidInput
from ...learn.draws import Draws
from ...learn.memory.packing import pack, packed_size, unpack
from .codec import Malformed, Shapes, Vector, count, exactly, finite, parted, sizes

WIDTHS = (2, 4, 8)
CHUNK = 1 << 15  # elements at a time: they stay in the cache
LARGEST = float(np.finfo(np.float32).max)


@dataclass(frozen=True, slots=True)
class Ints:
    """``bits`` (2, 4 or 8) an element, and a float32 an array: its largest magnitude over 2**(bits - 1) - 1.

    An element becomes one of the two steps beside it, the nearer the likelier, so that on the mean it is what it was.
    """

    bits: int

    def __post_init__(self) -> None:
        if isinstance(self.bits, bool) or self.bits not in WIDTHS:
            raise InvalidInput("codec bits", self.bits, "give 2, 4 or 8")

    def __str__(self) -> str:
        return f"int{self.bits}"

    def encode(self, values: Vector, shapes: Shapes, seed: int, draws: Draws) -> bytes:
        steps = np.zeros(len(shapes), np.float32)
        codes = np.empty(len(values), np.uint8)
        begin = 0
        for i, part in enumerate(parted(values, shapes)):
            if len(part):
                steps[i] = max(part.max(), -part.min()) / np.float32(self._end)
            for start in range(0, len(part), CHUNK):
                rows = part[start : start + CHUNK]
                scaled = draws.uniform(len(rows))
                if steps[i] > 0:
                    scaled += rows / steps[i]
                np.floor(scaled, out=scaled)
                np.minimum(scaled, self._end, out=scaled)
                np.maximum(scaled, -self._end, out=scaled)
                scaled += self._end
                codes[begin + start : begin + start + len(rows)] = scaled
            begin += len(part)
        return steps.astype("<f4").tobytes() + pack(codes, self.bits).tobytes()

    def decode(self, data: bytes, shapes: Shapes, seed: int) -> Vector:
        exactly(data, self.most(shapes))
        steps = finite(np.frombuffer(data, "<f4", len(shapes)).astype(np.float32))
        if steps.min(initial=0) < 0:
            raise Malformed("a step below 0")
        packed = np.frombuffer(data, np.uint8, offset=4 * len(shapes))
        codes = packed if self.bits == 8 else unpack(packed, count(shapes), self.bits)
        if codes.max(initial=0) > 2 * self._end:
            raise Malformed(f"a code beyond {2 * self._end}")
        made = codes.astype(np.float32)
        made -= self._end
        each = steps[0] if len(shapes) == 1 else np.repeat(steps, sizes(shapes))
        if float(steps.max(initial=0)) * self._end < LARGEST:  # none can be beyond it
            made *= each
            return made
        with np.errstate(over="ignore"):
            return finite(made * each)

    def most(self, shapes: Shapes) -> int:
        return 4 * len(shapes) + packed_size(count(shapes), self.bits)

    @property
    def _end(self) -> int:
        return (1 << (self.bits - 1)) - 1
