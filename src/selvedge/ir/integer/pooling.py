"""int8 average pool: input and result share scale and zero point.

Source: ``internal/reference/integer_ops/pooling.h``.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

Window = tuple[int, int, int]


def average_pool(
    x: np.ndarray, windows_h: Sequence[Window], windows_w: Sequence[Window], *, low: int = -128, high: int = 127
) -> np.ndarray:
    """int8 [N,H,W,C] to int8 [N,H',W',C]: the mean of what each window (start, stop, step) sees, halves away from zero,
    clamped."""
    rows = np.stack([x[:, slice(*w)].sum(1, dtype=np.int64) for w in windows_h], 1)
    sums = np.stack([rows[:, :, slice(*w)].sum(2) for w in windows_w], 2)
    counts = np.outer([len(range(*w)) for w in windows_h], [len(range(*w)) for w in windows_w])[None, :, :, None]
    half = np.where(sums > 0, counts // 2, -(counts // 2))
    means = np.sign(sums + half) * (np.abs(sums + half) // counts)
    return np.asarray(np.clip(means, low, high).astype(np.int8))
