"""A paired bootstrap over seeds and test samples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

ROUNDS = 10_000


@dataclass(frozen=True, slots=True)
class Difference:
    """Mean difference of accuracy, and its central 95 % interval."""

    mean: float
    low: float
    high: float

    @classmethod
    def of(cls, mean: float, drawn: np.ndarray) -> Difference:
        low, high = np.quantile(drawn, (0.025, 0.975))
        return cls(float(mean), float(low), float(high))


def paired(tasks: Mapping[str, Sequence[np.ndarray]], rounds: int = ROUNDS) -> tuple[dict[str, Difference], Difference]:
    """(by task, on average over tasks). tasks: name -> for each seed the difference of each test sample, -1 to 1.

    Efron and Tibshirani, "An Introduction to the Bootstrap" (1993), section 13.3, in two stages: seeds are drawn with
    replacement, and within each the samples.
    """
    drawn = {name: _draw(seeds, rounds, i) for i, (name, seeds) in enumerate(tasks.items())}
    means = {name: float(np.mean([d.mean() for d in seeds])) for name, seeds in tasks.items()}
    each = {name: Difference.of(means[name], drawn[name]) for name in tasks}
    return each, Difference.of(float(np.mean(list(means.values()))), np.mean(list(drawn.values()), axis=0))


def _draw(seeds: Sequence[np.ndarray], rounds: int, stream: int) -> np.ndarray:
    """Means of ``rounds`` resamplings."""
    rng = np.random.default_rng([stream, 0x5E1])
    of_seed = np.stack([d[rng.integers(len(d), size=(rounds, len(d)))].mean(1) for d in seeds], 1)
    picked = rng.integers(len(seeds), size=(rounds, len(seeds)))
    return np.asarray(np.take_along_axis(of_seed, picked, 1).mean(1))
