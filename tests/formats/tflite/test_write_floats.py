"""Each float row, forward and backward: what LiteRT computes of its operators is what the row means."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selvedge import ir
from selvedge.capture.lower.pooling import clipped, positions
from selvedge.errors import NotSupported
from selvedge.formats import tflite
from selvedge.formats.tflite.from_graph import REASONS, ROWS
from selvedge.formats.tflite.write_pointwise import ARITHMETIC, BINARY, UNARY

from .litert import Reference

EXAMPLES = int(os.environ.get("SELVEDGE_EXAMPLES", "25"))
TOLERANCE = 2e-6
NO_REFERENCE = {"CEIL", "ROUND"}  # LiteRT registers no reference kernels for them


def same(outputs: dict[str, ir.Value] | ir.Value, arrays: dict[str, np.ndarray], rtol: float = TOLERANCE) -> None:
    """Within ``rtol`` of the largest number of each output: by the reference kernels, and by those of sessions."""
    outputs = outputs if isinstance(outputs, dict) else {"output": outputs}
    leaves = {n.node.attrs["name"]: n for v in outputs.values() for n in _inputs(v)}
    graph = ir.Graph({name: leaves[name] for name in arrays}, {}, outputs)
    made = tflite.model(graph)
    wanted = ir.interpret(graph, arrays, {})
    for kernels in ("BUILTIN",) if NO_REFERENCE & {o.name for o in made.operators} else ("BUILTIN_REF", "BUILTIN"):
        got = Reference(tflite.written(made), kernels).run(list(arrays.values()), list(made.outputs))
        for place, (name, array) in zip(made.outputs, wanted.items(), strict=True):
            assert got[place].shape == array.shape
            largest = max(float(np.abs(array[np.isfinite(array)]).max(initial=0)), 1e-30)
            told = f"{name} by {kernels}"
            np.testing.assert_allclose(got[place], array, rtol=0, atol=rtol * largest, err_msg=told)


def _inputs(value: ir.Value) -> list[ir.Value]:
    return [ir.Value(n) for n in ir.topological([value.node]) if n.op == "input"]


def drawn(name: str, shape: tuple[int, ...], seed: int = 0, low: float = -4, high: float = 4) -> tuple[Any, np.ndarray]:
    array = np.random.default_rng([seed, len(name), *map(ord, name)]).uniform(low, high, shape).astype(np.float32)
    return ir.input_leaf(name, ir.Spec(shape)), array


GEOMETRY = st.fixed_dictionaries(
    {
        "kernel": st.tuples(st.integers(1, 4), st.integers(1, 3)),
        "stride": st.tuples(st.integers(1, 3), st.integers(1, 3)),
        "dilation": st.tuples(st.integers(1, 2), st.integers(1, 2)),
        "padding": st.tuples(*(st.tuples(st.integers(0, 3), st.integers(0, 2)) for _ in range(2))),
        "channels": st.sampled_from([(1, 3, 5), (4, 4, 4), (2, 4, 6), (3, 6, 6)]),  # groups, in, out
        "batch": st.integers(1, 3),
    }
)


@given(GEOMETRY)
@settings(max_examples=EXAMPLES, deadline=None)
def test_a_convolution_and_its_two_gradients_of_any_geometry(how: dict[str, Any]) -> None:
    """Padding beyond the kernel, strides that leave rows over, dilation with stride, groups and depthwise."""
    groups, ins, outs = how["channels"]
    x, xs = drawn("x", (how["batch"], 9, 8, ins))
    w, ws = drawn("w", (*how["kernel"], ins // groups, outs))
    attrs = {"stride": how["stride"], "padding": how["padding"], "dilation": how["dilation"], "groups": groups}
    y = ir.apply("conv2d", x, w, **attrs)
    dy, dys = drawn("dy", y.shape)
    dx = ir.apply("conv2d_input_grad", dy, w, **attrs, input_shape=x.shape)
    dw = ir.apply("conv2d_weight_grad", x, dy, **attrs, kernel=how["kernel"])
    same({"y": y, "dx": dx, "dw": dw}, {"x": xs, "w": ws, "dy": dys})


@given(st.integers(4, 9), st.integers(1, 4), st.integers(1, 3), st.integers(0, 1), st.booleans(), st.booleans())
@settings(max_examples=EXAMPLES, deadline=None)
def test_pools_and_their_gradients(
    extent: int, kernel: int, stride: int, padding: int, ceil: bool, average: bool
) -> None:
    """Of several that are largest the first is taken, as PyTorch does: the numbers are whole, so that many are."""
    kernel = max(kernel, 2 * padding)
    windows: dict[str, Any] = {}
    for name, size in (("windows_h", extent), ("windows_w", extent + 1)):
        starts = positions(size, kernel, stride, padding, 1, ceil)
        windows[name] = tuple(clipped(start, size, kernel, 1) for start in starts)
    x, xs = drawn("x", (2, extent, extent + 1, 3))
    xs = np.round(xs)
    if average:
        counts = {f"counts_{a}": (kernel,) * len(windows[f"windows_{a}"]) for a in "hw"}
        y = ir.apply("avg_pool", x, **windows, **counts)
        dy, dys = drawn("dy", y.shape)
        dx = ir.apply("avg_pool_grad", dy, **windows, **counts, input_shape=x.shape)
    else:
        y, index = ir.results("max_pool", x, **windows)
        dy, dys = drawn("dy", y.shape)
        dx = ir.apply("max_pool_grad", dy, index, **windows, input_shape=x.shape)
    same({"y": y, "dx": dx}, {"x": xs, "dy": dys})


def test_a_largest_of_windows_that_are_not_alike_is_refused() -> None:
    x, _ = drawn("x", (1, 7, 7, 2))
    y = ir.apply("max_pool", x, windows_h=((0, 4, 1), (1, 3, 1)), windows_w=((0, 7, 1),))
    with pytest.raises(NotSupported, match=r"^max_pool of unequal windows in a \.tflite file"):
        tflite.model(ir.Graph({"x": x}, {}, {"output": y}))


NUMBERS = {
    "clamp": {"min": -1.5, "max": 2.0}, "hardtanh": {"min": 0.0, "max": 6.0}, "leaky_relu": {"slope": 0.1},
    "gelu": {"approximate": "tanh"}, "power": {"exponent": 3}, "elu": {"alpha": 0.7},
}  # fmt: skip
POSITIVE = ("log", "log10", "log2", "rsqrt", "sqrt", "reciprocal", "power")
ONES = sorted(row for row in ROWS if ir.TABLE[row].unary)


@pytest.mark.parametrize("row", ONES)
def test_rows_of_one_number(row: str) -> None:
    x, xs = drawn("x", (3, 4, 5), low=0.1 if row in POSITIVE else -4)
    same(ir.apply(row, x, **NUMBERS.get(row, {})), {"x": xs}, 2e-5 if row == "gelu" else TOLERANCE)


@pytest.mark.parametrize("row", sorted(r for r in ROWS if r.endswith("_grad") and ir.TABLE[r].elementwise))
def test_gradients_of_rows_of_one_number(row: str) -> None:
    """At the edges too: 0, 3, 6, -3 and the numbers beside them; XNNPACK takes a denormal number for 0."""
    dy, dys = drawn("dy", (64,))
    kept, ks = drawn("k", (64,), low=0 if row == "hardtanh_grad" else -4, high=6)
    edges = np.array([0, 6, 3, -3, -1.5, 2], np.float32)
    ks[:6], ks[6:12], ks[12:18] = edges, np.nextafter(edges, np.float32(9)), np.nextafter(edges, np.float32(-9))
    ks[np.abs(ks) < np.finfo(np.float32).tiny] *= 1e30
    if row in ("sigmoid_grad", "tanh_grad"):
        ks = np.abs(ks) / 7
    same(ir.apply(row, dy, kept, **NUMBERS.get(row.removesuffix("_grad"), {})), {"dy": dys, "k": ks})


@pytest.mark.parametrize("row", sorted({**ARITHMETIC, **BINARY}))
@pytest.mark.parametrize("shape", [(2, 3, 4), (4,), (3, 1), ()])
def test_rows_of_two_numbers_that_broadcast(row: str, shape: tuple[int, ...]) -> None:
    a, xs = drawn("a", (2, 3, 4))
    b, ys = drawn("b", shape, low=0.5)
    made = ir.apply(row, a, b)
    if made.dtype == "bool":
        made = ir.apply("where", made, a, ir.scalar(0, a))
    same(made, {"a": np.round(xs), "b": np.round(ys)})


@pytest.mark.parametrize("rows", [2, 5])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_cross_entropy_of_labels_some_of_which_do_not_count(rows: int, smoothing: float) -> None:
    x, xs = drawn("x", (rows, 7))
    labels = ir.input_leaf("y", ir.Spec((rows,), "int32"))
    ys = np.arange(rows, dtype=np.int32)
    ys[1] = -100
    loss, probabilities = ir.results("cross_entropy", x, labels, label_smoothing=smoothing)
    dloss = ir.constant(np.float32(0.7))
    grad = ir.apply("cross_entropy_grad", probabilities, labels, dloss, label_smoothing=smoothing)
    same({"loss": loss, "grad": grad}, {"x": xs, "y": ys})


def test_softmax_normalisation_and_losses() -> None:
    x, xs = drawn("x", (3, 5))
    dy, dys = drawn("dy", (3, 5))
    y, yl = ir.apply("softmax", x), ir.apply("log_softmax", x)
    image, images = drawn("i", (2, 3, 2, 4))
    normal, rstd = ir.results("normalize", image, eps=1e-5)
    back, backs = drawn("b", (2, 3, 2, 4))
    made = {
        "y": y, "dx": ir.apply("softmax_grad", dy, y), "yl": yl, "dxl": ir.apply("log_softmax_grad", dy, yl),
        "bce": ir.apply("bce_logits", x, ir.apply("sigmoid", dy)), "normal": normal, "rstd": rstd,
        "dnormal": ir.apply("normalize_grad", back, normal, rstd),
        "most": ir.apply("reduce_max", x, axes=(1,), keepdims=False),
        "sum": ir.apply("reduce_sum", image, axes=(1, 2), keepdims=True),
    }  # fmt: skip
    same(made, {"x": xs, "dy": dys, "i": images, "b": backs}, 1e-5)


@pytest.mark.parametrize("trans_a", [False, True])
@pytest.mark.parametrize("trans_b", [False, True])
@pytest.mark.parametrize("lead", [(), (3,)])
def test_products(trans_a: bool, trans_b: bool, lead: tuple[int, ...]) -> None:
    a, xs = drawn("a", (*lead, *((5, 2) if trans_a else (2, 5))))
    b, ys = drawn("b", (*lead, *((4, 5) if trans_b else (5, 4))))
    same(ir.apply("matmul", a, b, trans_a=trans_a, trans_b=trans_b), {"a": xs, "b": ys})


@pytest.mark.parametrize("blocks", [1, 2])
@pytest.mark.parametrize("ignored", [None, 3, -7])
def test_rows_by_number(blocks: int, ignored: int | None) -> None:
    x, xs = drawn("x", (2, 6, 3))
    dy, dys = drawn("dy", (2, 4, 3))
    index = ir.input_leaf("n", ir.Spec((blocks, 4), "int32"))
    numbers = np.array([[1, 3, 3, 0], [5, 3, 2, 1]], np.int32)[:blocks]
    if ignored == -7:
        numbers[0, 1] = -7
    found = {} if ignored is None else {"ignored": ignored}
    taken = ir.apply("take", x, index, **found)
    added = ir.apply("scatter_add", dy, index, rows=6, skip=-1 if ignored is None else ignored, **found)
    onto = {} if ignored == -7 else {"onto": ir.apply("scatter_onto", x, dy, index, skip=found.get("ignored", -1))}
    same({"taken": taken, "added": added, **onto}, {"x": xs, "dy": dys, "n": numbers})


@pytest.mark.parametrize("approximate", ["none", "tanh"])
def test_gelu_and_its_gradient(approximate: str) -> None:
    x, xs = drawn("x", (64,))
    dy, dys = drawn("dy", (64,))
    made = {"y": ir.apply("gelu", x, approximate=approximate)}
    made["dx"] = ir.apply("gelu_grad", dy, x, approximate=approximate)
    same(made, {"x": xs, "dy": dys}, 2e-5)


@pytest.mark.parametrize("weights", [(), (0.5, -1.0, 2.0, 0.25)])
def test_sums_along_an_axis(weights: tuple[float, ...]) -> None:
    x, xs = drawn("x", (2, 5, 3))
    made = {
        "resample": ir.apply("resample", x, starts=(0, 1, 1, 4), index=(2, 0, 4, 4), weights=weights),
        "cumsum": ir.apply("cumsum", x, reverse=False),
        "reverse": ir.apply("cumsum", x, reverse=True),
    }
    same(made, {"x": xs})


def test_rows_that_move() -> None:
    x, xs = drawn("x", (2, 3, 4))
    made = {
        "pad": ir.apply("pad", x, before=(0, 1, 2), after=(1, 0, 0), value=0.0),
        "filled": ir.apply("pad", x, before=(0, 1, 2), after=(1, 0, 0), value=1.5),
        "slice": ir.apply("slice", x, starts=(0, 1, 0), stops=(2, 3, 4), steps=(1, 1, 2)),
        "unslice": ir.apply("unslice", x, shape=(2, 8, 13), starts=(0, 1, 2), steps=(1, 3, 3)),
        "broadcast": ir.apply("broadcast", x, shape=(5, 2, 3, 4)),
        "transpose": ir.apply("transpose", x, perm=(2, 0, 1)),
        "reshape": ir.apply("reshape", x, shape=(6, 4)),
        "concat": ir.apply("concat", x, x, axis=1),
        "part": ir.apply("part", x, axis=1, count=2),
        "with_part": ir.apply("with_part", ir.apply("part", x, axis=2, count=3), x, axis=2),
    }
    same(made, {"x": xs}, 0)


def test_a_bias_and_an_activation_are_part_of_their_layer() -> None:
    """The same numbers, in one operator; what something else reads stays."""
    x, xs = drawn("x", (1, 5, 5, 3))
    weight, _ = drawn("w", (3, 3, 3, 4))
    kernel = ir.constant(np.full(weight.shape, 0.1, np.float32))
    geometry: dict[str, Any] = {
        "stride": (1, 1), "padding": ((1, 1), (1, 1)), "dilation": (1, 1), "groups": 1,
    }  # fmt: skip
    added = ir.apply("add", ir.apply("conv2d", x, kernel, **geometry), ir.constant(np.arange(4, dtype=np.float32)))
    made = ir.apply("relu", added)
    names = [o.name for o in tflite.model(ir.Graph({"x": x}, {}, {"y": made})).operators]
    assert names == ["CONV_2D"]
    same(made, {"x": xs})
    same({"y": made, "before": added}, {"x": xs})


def test_float64_is_refused() -> None:
    x = ir.input_leaf("x", ir.Spec((3,), "float64"))
    with pytest.raises(NotSupported, match=r"square of float64 in a \.tflite file"):
        tflite.model(ir.Graph({"x": x}, {}, {"y": ir.apply("square", x)}))


def test_a_row_has_a_rule_or_a_reason_and_not_both() -> None:
    assert not set(ROWS) & set(REASONS)
    assert set(ROWS) | set(REASONS) == set(ir.TABLE)
    assert set(UNARY) <= set(ROWS)
