"""The comparison of what to update: its statistic, and one small case of it on real data."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks.auto.experiment import case, summary, table
from benchmarks.auto.sources import absent
from benchmarks.auto.statistics import paired


def test_the_interval_holds_the_truth_and_narrows_with_samples() -> None:
    rng = np.random.default_rng(0)
    widths = []
    for samples in (50, 5000):
        seeds = [rng.choice([-1.0, 0.0, 1.0], p=[0.1, 0.7, 0.2], size=samples) for _ in range(5)]
        each, whole = paired({"a": seeds, "b": [np.zeros(samples)] * 5}, rounds=2000)
        assert each["a"].low < 0.1 < each["a"].high
        assert (each["b"].mean, each["b"].low, each["b"].high) == (0, 0, 0)
        assert whole.mean == pytest.approx(each["a"].mean / 2)
        widths.append(each["a"].high - each["a"].low)
    assert widths[1] < widths[0] / 4


def test_seeds_that_disagree_widen_it() -> None:
    same, apart = [np.full(100, 0.1)] * 4, [np.full(100, v) for v in (-0.3, 0.5, -0.3, 0.5)]
    each, _ = paired({"same": same, "apart": apart}, rounds=2000)
    assert each["same"].high - each["same"].low < 1e-9
    assert each["apart"].low < 0 < each["apart"].high


def test_one_case_keeps_its_bytes_and_makes_a_table(tmp_path: Path) -> None:
    missing = absent("har-subject")
    if missing:
        pytest.skip(f"{missing} is absent")
    found = case("har-subject", 0, tmp_path, epochs=1)
    assert {r["policy"] for r in found["rows"]} == {"auto", "last-K", "random", "bias", "full"}
    for r in found["rows"]:
        assert r["budget"] is None or r["arena"] <= r["budget"]
        assert len(r["best"]) == len(r["last"]) == found["samples"][2]
    text = table(summary([found]))
    assert "| | auto 15% |" in text
    assert "| best, 15% and 30% | average |" in text
