"""Paddings and windows as TensorFlow names them: "same" or "valid", one kernel and one stride for all."""

from __future__ import annotations

from collections.abc import Sequence

from ..windows import Sliding, Window, windows
from .node import same

Pair = tuple[int, int]
Pool = tuple[Pair, Pair, str]
"""Kernel, stride, padding."""


def padding_of(
    extent: Sequence[int], kernel: Pair, stride: Pair, padding: Sequence[Pair], dilation: Pair
) -> str | None:
    """The name of ``padding``; None where it has none."""
    if not any(map(any, padding)):
        return "valid"
    named = tuple(same(extent[a], (kernel[a] - 1) * dilation[a] + 1, stride[a]) for a in (0, 1))
    return "same" if named == tuple(map(tuple, padding)) else None


def seen(extent: int, kernel: int, stride: int, padding: Pair) -> tuple[Window, ...]:
    """What each window sees of ``extent`` pixels."""
    by = Sliding(kernel, stride, 1, *padding)
    return windows(by, extent, by.count(extent))


def kernel_of(extents: Sequence[int], given: Sequence[Sequence[Window]]) -> Pool | None:
    """The pool whose windows those are; None where there is none."""
    for name in ("valid", "same"):
        found = [_axis(extents[a], tuple(given[a]), name) for a in (0, 1)]
        if found[0] is not None and found[1] is not None:
            (kh, sh), (kw, sw) = found[0], found[1]
            return (kh, kw), (sh, sw), name
    return None


def padded_kernel_of(extents: Sequence[int], given: Sequence[Sequence[Window]]) -> tuple[Pool, tuple[Pair, ...]] | None:
    """The "valid" pool over an image with padding around it whose windows see those pixels, and that padding."""
    found = [_padded(extents[a], tuple(given[a])) for a in (0, 1)]
    if found[0] is None or found[1] is None:
        return None
    (kh, sh, rows), (kw, sw, columns) = found[0], found[1]
    return ((kh, kw), (sh, sw), "valid"), (rows, columns)


def _axis(extent: int, windows: tuple[Window, ...], name: str) -> Pair | None:
    for stride, kernel in _candidates(extent, windows):
        padding = same(extent, kernel, stride) if name == "same" else (0, 0)
        if seen(extent, kernel, stride, padding) == windows:
            return kernel, stride
    return None


def _padded(extent: int, windows: tuple[Window, ...]) -> tuple[int, int, Pair] | None:
    for stride, kernel in _candidates(extent, windows):
        before = kernel - windows[0][1]
        after = (len(windows) - 1) * stride + kernel - before - extent
        for pads in ((max(0, before), max(0, after)), (0, max(0, after + before))):
            if seen(extent, kernel, stride, pads) == windows:
                return kernel, stride, pads
    return None


def _candidates(extent: int, windows: tuple[Window, ...]) -> list[Pair]:
    """(stride, kernel): no kernel is smaller than what a window sees."""
    least = max(stop - start for start, stop, _ in windows)
    strides = range(1, extent + 1) if len(windows) > 1 else (extent,)
    return [(stride, kernel) for stride in strides for kernel in range(least, 2 * least + 1)]
