"""One bit an element (signSGD with its scale: Karimireddy et al., ICML 2019, arXiv:1901.09847)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...learn.draws import Draws
from .codec import Malformed, Shapes, Vector, count, exactly, finite, parted, sizes


@dataclass(frozen=True, slots=True)
class Sign:
    """The sign of each element times the mean magnitude of its array: with error feedback, or it does not converge."""

    def __str__(self) -> str:
        return "sign"

    def encode(self, values: Vector, shapes: Shapes, seed: int, draws: Draws) -> bytes:
        parts = parted(values, shapes)
        means = np.array([np.abs(v).mean(dtype=np.float64) if v.size else 0 for v in parts], "<f4")
        return means.tobytes() + np.packbits(values > 0).tobytes()

    def decode(self, data: bytes, shapes: Shapes, seed: int) -> Vector:
        exactly(data, self.most(shapes))
        means = finite(np.frombuffer(data, "<f4", len(shapes)).astype(np.float32))
        if (means < 0).any():
            raise Malformed("a mean magnitude below 0")
        bits = np.unpackbits(np.frombuffer(data, np.uint8, offset=4 * len(shapes)), count=count(shapes))
        return np.asarray(np.where(bits, np.repeat(means, sizes(shapes)), -np.repeat(means, sizes(shapes))), np.float32)

    def most(self, shapes: Shapes) -> int:
        return 4 * len(shapes) + -(-count(shapes) // 8)
