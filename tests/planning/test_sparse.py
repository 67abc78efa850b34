"""What sparse weights become in flash says all of them, and nothing else; and the checker knows their sizes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selvedge import ir
from selvedge.device import Device
from selvedge.errors import InvalidInput, NotSupported
from selvedge.planning.arrange import arrange
from selvedge.planning.check import BadPlan, check
from selvedge.planning.sparse import entries, steps
from selvedge.planning.sparse_sizes import SPARSE_LANES
from tests.emitting.sparse_graph import sparse_graph


@st.composite
def matrices(draw: st.DrawFn) -> np.ndarray:
    """[depth, outputs], any share of zeros: empty, full, a single weight."""
    depth, outs = draw(st.sampled_from([1, 8, 9, 64, 300, 700])), draw(st.integers(1, 20))
    rng = np.random.default_rng(draw(st.integers(0, 1 << 20)))
    made = rng.normal(size=(depth, outs)).astype(np.float32)
    share = draw(st.sampled_from([0.0, 0.5, 0.9, 0.99, 1.0, None]))
    if share is None:
        single = np.zeros_like(made)
        single[-1, rng.integers(outs)] = 1
        return single
    made[rng.random(made.shape) < share] = 0
    return made


@given(matrices())
@settings(max_examples=150, deadline=None)
def test_entries_say_the_matrix(matrix: np.ndarray) -> None:
    values, gaps, counts = entries(matrix)
    found, e = np.zeros_like(matrix), 0
    for o, count in enumerate(counts):
        at = 0
        for _ in range(count):
            at += int(gaps[e])
            found[at, o] += values[e]
            e += 1
    np.testing.assert_array_equal(found, matrix)
    assert len(values) == len(gaps) == max(1, e)
    far = np.count_nonzero(values == 0)
    assert far <= matrix.shape[1] * (len(matrix) // 256 + 1)  # only to go further than a byte says


@given(matrices().filter(lambda m: len(m) >= SPARSE_LANES))
@settings(max_examples=150, deadline=None)
def test_steps_say_the_matrix_and_never_look_beyond_it(matrix: np.ndarray) -> None:
    values, picks, gaps, counts = steps(matrix)
    found, s = np.zeros((len(matrix), len(counts) * SPARSE_LANES), np.float32), 0
    for panel, count in enumerate(counts):
        at = 0
        for _ in range(count):
            at += int(gaps[s])
            assert at + SPARSE_LANES <= len(matrix)
            for lane in range(SPARSE_LANES):
                pick = int(np.uint32(picks.view(np.uint32)[s]) >> (4 * lane)) & 15
                assert pick < SPARSE_LANES
                found[at + pick, panel * SPARSE_LANES + lane] += values[s, lane]
            s += 1
    np.testing.assert_array_equal(found[:, : matrix.shape[1]], matrix)
    assert not found[:, matrix.shape[1] :].any()


@pytest.mark.parametrize(("n", "m"), [(2, 4), (1, 4), (4, 8)])
def test_of_n_m_sparsity_hardly_a_lane_is_idle(n: int, m: int) -> None:
    rng = np.random.default_rng(0)
    matrix = rng.normal(size=(256, 64)).astype(np.float32)
    for first in range(0, 256, m):
        part = matrix[first : first + m]
        np.put_along_axis(part, np.argsort(np.abs(part), axis=0)[: m - n], 0, axis=0)
    values = steps(matrix)[0]
    assert np.count_nonzero(values) / values.size > 0.9


def test_the_checker_measures_what_is_stored() -> None:
    plan = arrange({"predict": sparse_graph("float32")[0]}, Device(ram="1MiB", flash="1MiB", vector_bytes=32))
    check(plan)
    p = plan.programs["predict"]
    for family in ("sparse_rows", "sparse_pixels", "sparse_lanes"):
        kernel = next(k for k in p.kernels.values() if k.family == family)
        wrong = replace(kernel, params={**kernel.params, "entries": kernel.params["entries"] + 1})
        broken = replace(p, kernels={**p.kernels, kernel.id: wrong})
        with pytest.raises(BadPlan, match="elements, it has another size"):
            check(replace(plan, programs={"predict": broken}))


def test_weights_must_be_known_and_counted() -> None:
    x, w = ir.input_leaf("x", ir.Spec((1, 8))), ir.state_leaf("w", ir.Spec((8, 4)), "parameter")
    device = Device(ram="1MiB", flash="1MiB", vector_bytes=32)
    y = ir.apply("sparse_matmul", x, w, entries=3)
    with pytest.raises(NotSupported, match="weights must be constants"):
        arrange({"predict": ir.Graph({"x": x}, {"w": w}, {"y": y})}, device)
    y = ir.apply("sparse_matmul", x, ir.constant(np.eye(8, 4, dtype=np.float32)), entries=3)
    with pytest.raises(InvalidInput, match="entries is 3: 4 weights are not zero"):
        arrange({"predict": ir.Graph({"x": x}, {}, {"y": y})}, device)
    with pytest.raises(ValueError, match="entries is 33; must be an integer from 0 to 32"):
        ir.apply("sparse_matmul", x, w, entries=33)
