"""What two ways differ by, over the seeds and test samples of many cases, in little time.

As :func:`benchmarks.answers.difference`: but a sample's difference is -1, 0 or 1, so that a resampling of them is three
counts, drawn from the multinomial distribution, instead of a row number a sample.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from benchmarks.answers import ROUNDS, right


def difference(cases: Sequence[dict[str, Any]], way: str, less: str, kind: str) -> dict[str, float]:
    """Accuracy of ``way`` less that of ``less``: mean, central 95 % interval of the paired bootstrap in two stages, and
    the standard error: the larger of that of the samples and that of the seeds. The folds of one seed are one sample of
    the whole data."""
    by_seed = [[c for c in cases if c["seed"] == s] for s in sorted({c["seed"] for c in cases})]
    each = [np.concatenate([right(c, way, kind) - right(c, less, kind) for c in own]) for own in by_seed]
    means = np.array([part.mean() for part in each])
    rng = np.random.default_rng(0x5E1)
    of_seed = np.stack([_resampled(part, rng) for part in each], 1)
    picked = rng.integers(len(each), size=(ROUNDS, len(each)))
    low, high = np.quantile(np.take_along_axis(of_seed, picked, 1).mean(1), (0.025, 0.975))
    error = float(np.std(np.concatenate(each), ddof=1) / np.sqrt(sum(map(len, each))))
    if len(each) > 1:
        error = max(error, float(np.std(means, ddof=1) / np.sqrt(len(each))))
    return {"mean": float(means.mean()), "low": float(low), "high": float(high), "error": error}


def _resampled(part: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Means of :data:`ROUNDS` resamplings of ``part``, of -1, 0 and 1."""
    shares = [(part == value).mean() for value in (-1, 0, 1)]
    counts = rng.multinomial(len(part), shares, size=ROUNDS)
    return np.asarray((counts[:, 2] - counts[:, 0]) / len(part))
