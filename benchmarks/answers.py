"""The answers that the cases of a benchmark keep - a character a test sample, 1 where it was right - and what two ways
differ by."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .auto.statistics import paired

ROUNDS = 2000


def kept(case: dict[str, Any], way: str) -> dict[str, Any]:
    """What a case has of ``way``."""
    found: dict[str, Any] = next(r for r in case["rows"] if r["way"] == way)
    return found


def right(case: dict[str, Any], way: str, kind: str) -> np.ndarray:
    """[samples], 1 where ``way`` was right. kind: the chosen epoch's, "best", or the "last" one's."""
    return np.array([c == "1" for c in kept(case, way)[kind]], np.float64)


def difference(cases: Sequence[dict[str, Any]], way: str, less: str, kind: str) -> dict[str, float]:
    """Accuracy of ``way`` less that of ``less``: mean, central 95 % interval of the paired bootstrap, and the standard
    error: the larger of that of the samples and that of the seeds. The folds of one seed are one sample of the whole
    data."""
    by_seed = {s: [c for c in cases if c["seed"] == s] for s in sorted({c["seed"] for c in cases})}
    each = [np.concatenate([right(c, way, kind) - right(c, less, kind) for c in own]) for own in by_seed.values()]
    found = paired({"all": each}, rounds=ROUNDS)[0]["all"]
    error = float(np.std(np.concatenate(each), ddof=1) / np.sqrt(sum(map(len, each))))
    if len(each) > 1:
        error = max(error, float(np.std([part.mean() for part in each], ddof=1) / np.sqrt(len(each))))
    return {"mean": found.mean, "low": found.low, "high": found.high, "error": error}
