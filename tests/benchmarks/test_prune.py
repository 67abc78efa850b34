"""The benchmark of pruning: one small case on real data, and what its table says of made-up ones."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from benchmarks.prune.experiment import case, summary, table
from tests.data.folders import shared


def made_up(seed: int, lost: float) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    right = rng.random(2000) < 0.9
    other = right & (rng.random(2000) >= lost)
    share = {"macs": 0.5, "parameters": 0.5, "bytes": 0.5}
    rows = [
        {"way": way, "epoch": 1, "share": share, "best": text, "last": text}
        for way, text in (("unpruned", _text(right)), ("-50 % l2", _text(other)))
    ]
    return {"task": "t", "seed": seed, "fold": 0, "samples": [1, 1, 2000], "dummy": 0.1, "rows": rows, "seconds": 1.0}


def _text(right: np.ndarray) -> str:
    return "".join("01"[int(r)] for r in right)


def test_what_is_lost_is_paired() -> None:
    row = summary([made_up(s, 0.02) for s in range(5)])["t"]["ways"]["-50 % l2"]["best lost"]
    assert row["low"] <= row["mean"] <= row["high"]
    assert row["mean"] == pytest.approx(0.018, abs=0.004)
    assert 0 < row["error"] < 0.004
    assert "| | -50 % l2 | 0.500 | 0.500 |" in table(summary([made_up(0, 0.02)]))


def test_one_case_has_every_way() -> None:
    shared("har_sp_sw_23subjects")
    found = case("har", 0, 0, epochs=6, criteria=("random", "taylor"))
    ways = ["unpruned", *(f"-{less} % {name}" for less in (50, 60) for name in ("random", "taylor"))]
    assert [r["way"] for r in found["rows"]] == [w for way in ways for w in (way, f"{way}, int8")]
    assert all(len(r["best"]) == len(r["last"]) == found["samples"][2] for r in found["rows"])
    for row in found["rows"]:
        assert row["share"]["macs"] <= (1 if "unpruned" in row["way"] else 0.5 if "-50" in row["way"] else 0.4)
        assert row["epoch"] < 6
    assert found["rows"][-1]["share"]["bytes"] < 0.2
