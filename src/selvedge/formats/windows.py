"""Between a pool's kernel, stride, dilation and padding and the windows that the op table's pools see."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

Window = tuple[int, int, int]
"""(start, stop, step) of the rows or columns that are seen."""

# Rows or columns of padding that are looked for in windows that are all clipped.
MOST_PADDING = 64


@dataclass(frozen=True, slots=True)
class Sliding:
    """One axis of a pool: a kernel that moves over an image padded ``before`` and ``after``."""

    kernel: int
    stride: int
    dilation: int = 1
    before: int = 0
    after: int = 0

    @property
    def span(self) -> int:
        """Elements from its first tap to its last."""
        return self.dilation * (self.kernel - 1) + 1

    def count(self, extent: int) -> int:
        """Windows that lie inside the padded image."""
        return (extent + self.before + self.after - self.span) // self.stride + 1


def windows(by: Sliding, extent: int, count: int) -> tuple[Window, ...]:
    """What each of ``count`` windows sees of ``extent``; (0, 0, 1) where it sees nothing."""
    made = []
    for i in range(count):
        first = i * by.stride - by.before
        seen = [at for at in range(first, first + by.span, by.dilation) if 0 <= at < extent]
        made.append((seen[0], seen[-1] + 1, by.dilation) if seen else (0, 0, 1))
    return tuple(made)


def sliding(given: Sequence[Window], extent: int) -> Sliding | None:
    """The kernel that makes ``given``, the smallest there is; None where no regular one does."""
    seen = [range(*w) for w in given]
    longest = max(map(len, seen))
    dilation = next((r.step for r in seen if len(r) > 1), 1)
    # Windows that are clipped at both ends all see the same, whatever they are apart.
    strides = {1, extent} | _between([r[0] for r in seen]) | _between([r[-1] for r in seen])
    for kernel in range(longest, longest + MOST_PADDING + 1):
        for before in range(min(kernel, MOST_PADDING + 1)):
            for stride in sorted(strides):
                after = max(0, (len(seen) - 1) * stride + dilation * (kernel - 1) + 1 - extent - before)
                by = Sliding(kernel, stride, dilation, before, after)
                if after >= kernel or by.count(extent) != len(seen):
                    continue
                if [range(*w) for w in windows(by, extent, len(seen))] == seen:
                    return by
    return None


def _between(places: Sequence[int]) -> set[int]:
    return {b - a for a, b in pairwise(places) if b > a}
