"""The benchmark of sparse weights: its layers are what they say, its page is what was measured."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks.readme import between
from benchmarks.sparse import layers, reference, table
from benchmarks.sparse.shapes import PATTERNS, SHAPES, Shape, graph, graphs
from selvedge import ir

ROOT = Path(__file__).parents[2]
RESULT = ROOT / "benchmarks" / "results" / "sparse.json"
SMALL = Shape("own", 3, 4, 16, 12)


@pytest.mark.parametrize("name", PATTERNS)
def test_a_pattern_has_its_zeros(name: str) -> None:
    zeros = {"2:4": 0.5, "1:4": 0.75}.get(name) or int(name.split()[0]) / 100
    for shape in SHAPES[:4]:
        weights = PATTERNS[name](shape)
        assert (weights == 0).mean() == pytest.approx(zeros, abs=1e-3)
        if ":" in name:
            runs = (weights.reshape(-1, 4, shape.k) != 0).sum(1)
            assert (runs == int(name[0])).all()


def test_dense_and_sparse_of_a_pattern_mean_the_same() -> None:
    found = graphs(SMALL)
    assert list(found) == ["dense", *PATTERNS]
    x = np.random.default_rng(0).normal(size=(1, 3, 4, 16)).astype(np.float32)
    weights = PATTERNS["75 %"](SMALL)
    dense = graph(SMALL, weights, False)
    (want,), (got,) = (list(ir.interpret(g, {"x": x}, {}).values()) for g in (dense, found["75 %"]))
    np.testing.assert_allclose(got, want, rtol=1e-6, atol=1e-6)


def test_a_row_has_every_way_and_its_spread() -> None:
    (row,) = layers.rows(0, rounds=2, shapes=(SMALL,))
    assert list(row["ways"]) == ["dense", *PATTERNS]
    for way in row["ways"].values():
        assert 0 < way["low"] <= way["median"] <= way["high"]
    assert row["ways"]["95 %"]["bytes"] < row["ways"]["50 %"]["bytes"] < row["ways"]["dense"]["bytes"]
    assert row["ways"]["90 %"]["family"] == "sparse_rows"
    assert "pointwise 16x12 @ 3x4" in table.layers([row])


def test_what_a_table_is_off_by_is_found() -> None:
    device, run = reference.host(0)
    found = list(reference.measured((SMALL,), device, run))
    from selvedge.make.calibrate_fit import fit

    made = fit([s for m in found for s in m.kernels.values()], 1e-9)
    off = list(reference.errors(iter(found), device, made))
    assert len(off) == len(PATTERNS)
    assert all(np.isfinite(off))


def test_the_page_is_what_was_measured() -> None:
    result, page = json.loads(RESULT.read_text()), (ROOT / "docs" / "sparse.md").read_text()
    assert between(page, "sparse-layers") == table.layers(result["layers"])
    assert between(page, "sparse-bytes") == table.stored(result["layers"])
    assert between(page, "sparse-scalar") == table.layers(result["scalar"])
    assert between(page, "sparse-nets") == table.nets(result["nets"])
    assert between(page, "sparse-scalar-nets") == table.nets(result["scalar_nets"])
    assert between(page, "sparse-peers") == table.peers(result["layers"])
    assert between(page, "sparse-cortex-m") == table.instructions(result["cortex_m"])
