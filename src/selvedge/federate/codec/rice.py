"""Sorted indices as the gaps between them, in Rice's code (Rice & Plaunt 1971): near the entropy of an even draw."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt

from .codec import Malformed

Indices = npt.NDArray[np.int64]
BYTE = 8  # bits


@lru_cache(maxsize=64)
def width(n: int, count: int) -> int:
    """Bits of a gap's lower part: the best for ``count`` of ``n`` indices drawn evenly (Kiely 2004: p = count / n)."""
    return max(0, int(np.floor(np.log2(np.log(2) * n / count)))) if 0 < count < n else 0


def coded(indices: Indices, n: int) -> bytes:
    """indices: rising, each below ``n``. First the gaps' upper parts, in unary, then their lower ones."""
    low = width(n, len(indices))
    gaps = _gaps(indices)
    high = gaps >> low
    begin = int(high.sum()) + len(indices)
    bits = np.zeros(begin + low * len(indices), np.uint8)
    bits[np.cumsum(high + 1) - 1] = 1
    lower = bits[begin:].reshape(len(indices), low)
    if low <= BYTE:  # in one pass
        lower[:] = np.unpackbits((gaps << (BYTE - low)).astype(np.uint8)[:, None], axis=1, count=low)
    else:
        for place in range(low):
            np.bitwise_and(gaps >> (low - 1 - place), 1, out=lower[:, place], casting="unsafe")
    return np.packbits(bits).tobytes()


def decoded(data: bytes, n: int, count: int) -> tuple[Indices, int]:
    """The ``count`` indices below ``n`` that ``data`` begins with, and how many bytes they took."""
    low = width(n, count)
    most = count + (n >> low)
    bits = np.unpackbits(np.frombuffer(data, np.uint8, min(len(data), most_bytes(n, count))))
    ends = np.flatnonzero(bits[:most].view(np.bool_))[:count]
    if len(ends) < count or (count and ends[-1] + 1 + count * low > len(bits)):
        raise Malformed("indices that end early")
    gaps = _gaps(ends)
    begin = int(ends[-1]) + 1 if count else 0
    lower = bits[begin : begin + count * low].reshape(count, low)
    if 0 < low <= BYTE:
        gaps <<= low
        gaps |= np.packbits(lower, axis=1)[:, 0] >> (BYTE - low)
    else:
        for place in range(low):
            gaps <<= 1
            gaps |= lower[:, place]
    indices = np.cumsum(gaps + 1) - 1
    if count and indices[-1] >= n:
        raise Malformed(f"an index of {indices[-1]} where there are {n}")
    return indices, -(-(begin + count * low) // 8)


def _gaps(indices: Indices) -> Indices:
    """What lies between each and the one before it."""
    gaps = indices - 1
    gaps[1:] -= indices[:-1]
    gaps[:1] += 1
    return gaps


def most_bytes(n: int, count: int) -> int:
    """What any ``count`` of ``n`` take at the most: no more than n >> width gaps' upper parts fit into n."""
    low = width(n, count)
    return -(-(count * (1 + low) + (n >> low)) // 8)
