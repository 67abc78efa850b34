"""The pass that joins: what becomes int8 is within a step of the float arithmetic it was read from; what cannot, stays
float."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selvedge import ir
from selvedge.ir import Quant, Value

EXAMPLES = int(os.environ.get("SELVEDGE_EXAMPLES", "40"))
SCALES = st.floats(2**-8, 0.1875, width=32)
GEOMETRY: dict[str, Any] = {"stride": (1, 1), "padding": ((1, 1), (1, 1)), "dilation": (1, 1), "groups": 1}
UNARY: tuple[tuple[str, dict[str, Any]], ...] = (
    ("relu", {}), ("hardtanh", {"min": 0.0, "max": 6.0}), ("hardtanh", {"min": -0.5, "max": 0.75}), ("hardswish", {}),
    ("hardsigmoid", {}), ("sigmoid", {}), ("tanh", {}), ("silu", {}), ("gelu", {"approximate": "none"}),
    ("elu", {"alpha": 1.0}), ("leaky_relu", {"slope": 0.1}), ("exp", {}), ("log", {}), ("neg", {}),
)  # fmt: skip


@st.composite
def quants(draw: st.DrawFn) -> Quant:
    return Quant((draw(SCALES),), (draw(st.integers(-128, 127)),))


def real(x: Value) -> Value:
    return ir.apply("dequantise", x, quants=(x.spec.quant,), dtype="float32")


def codes(name: str, shape: tuple[int, ...], quant: Quant) -> Value:
    return ir.input_leaf(name, ir.Spec(shape, "int8", quant))


def weight(r: np.random.Generator, shape: tuple[int, ...], axis: int, most: int = 127) -> Value:
    """A dequantised constant with a scale an index of ``axis``."""
    scale = tuple(float(np.float32(s)) for s in r.uniform(0.001, 0.02, shape[axis]))
    steps = r.integers(-most, most + 1, shape).astype(np.int8)
    return real(ir.constant(steps, quant=Quant(scale, (0,), axis)))


def bias(r: np.random.Generator, w: Value, x: Quant, axis: int) -> Value:
    """int32 at scale x * w, dequantised."""
    scale = (np.float32(x.scale[0]) * np.array(w.node.attrs["quants"][0].scale, np.float32)).astype(np.float32)
    steps = r.integers(-9000, 9000, len(scale)).astype(np.int32)
    return real(ir.constant(steps, quant=Quant(tuple(map(float, scale)), (0,), 0)))


def ran(graph: ir.Graph, seed: int) -> np.ndarray:
    r = np.random.default_rng(seed)
    given_ = {n: r.integers(-128, 128, v.shape).astype(np.int8) for n, v in graph.inputs.items()}
    return ir.interpret(graph, given_, {})["output"]


def near(inputs: dict[str, Value], made: Value, y: Quant, seed: int, steps: int = 1) -> ir.Graph:
    """``made`` quantised, joined: of int8 rows alone, and within ``steps`` of the float arithmetic."""
    graph = ir.Graph(inputs, {}, {"output": ir.apply("quantise", made, quant=y)})
    joined = ir.joined(graph)
    ir.verify(joined)
    assert not [n.op for n in joined.nodes() if any(s.is_float for s in n.specs)]
    assert joined.outputs["output"].spec == graph.outputs["output"].spec
    apart = ran(graph, seed).astype(int) - ran(joined, seed).astype(int)
    assert np.abs(apart).max() <= steps
    return joined


def ops(graph: ir.Graph) -> list[str]:
    return [n.op for n in graph.nodes() if n.inputs]


@given(quants(), quants(), st.sampled_from([1, 2, 4]), st.booleans(), st.sampled_from(["none", "relu", "hardtanh"]),
       st.booleans(), st.integers(0, 9999))  # fmt: skip
@settings(max_examples=EXAMPLES, deadline=None)
def test_a_convolution_its_bias_and_its_activation_are_one_row(
    x: Quant, y: Quant, groups: int, biased: bool, activation: str, moved: bool, seed: int
) -> None:
    r = np.random.default_rng(seed)
    leaf = codes("x", (2, 5, 4, 4), x)
    w = weight(r, (3, 2, 4 // groups, 8), 3)
    given_ = real(ir.reshape(leaf, (2, 4, 5, 4))) if moved else real(leaf)
    made = ir.apply("conv2d", given_, w, **{**GEOMETRY, "groups": groups})
    if biased:
        made = ir.apply("add", made, ir.reshape(bias(r, w, x, 3), (1, 1, 1, 8)))
    if activation != "none":
        made = ir.apply(activation, made, **({} if activation == "relu" else {"min": 0.0, "max": 6.0}))
    joined = near({"x": leaf}, made, y, seed)
    assert ops(joined).count("int8_conv2d") == 1
    assert len(ops(joined)) == 1 + moved


@given(quants(), quants(), st.booleans(), st.booleans(), st.integers(0, 9999))
@settings(max_examples=EXAMPLES, deadline=None)
def test_a_linear_layer_of_any_rank_is_one_row(x: Quant, y: Quant, turned: bool, biased: bool, seed: int) -> None:
    r = np.random.default_rng(seed)
    leaf = codes("x", (2, 3, 10), x)
    w = weight(r, (6, 10), 0) if turned else weight(r, (10, 6), 1)
    made = ir.apply("matmul", ir.reshape(real(leaf), (6, 10)), w, trans_a=False, trans_b=turned)
    made = ir.reshape(made, (2, 3, 6))
    if biased:
        made = ir.apply("add", bias(r, w, x, 0), made)
    joined = near({"x": leaf}, ir.reshape(ir.apply("relu", made), (2, 18)), y, seed)
    assert ops(joined).count("int8_linear") == 1


@given(quants(), quants(), quants(), st.sampled_from(["add", "mul"]), st.booleans(), st.integers(0, 9999))
@settings(max_examples=EXAMPLES, deadline=None)
def test_sums_and_products(a: Quant, b: Quant, y: Quant, op: str, clamped: bool, seed: int) -> None:
    left, right = codes("a", (2, 3, 4), a), codes("b", (1, 4), b)
    made = ir.apply(op, real(left), real(right))
    joined = near({"a": left, "b": right}, ir.apply("relu", made) if clamped else made, y, seed)
    assert ops(joined) == [f"int8_{op}"]


@given(quants(), quants(), st.sampled_from(UNARY), st.sampled_from(["none", "scale", "twice"]), st.integers(0, 9999))
@settings(max_examples=EXAMPLES, deadline=None)
def test_functions_of_one_value_are_tables(
    x: Quant, y: Quant, row: tuple[str, dict[str, Any]], more: str, seed: int
) -> None:
    leaf = codes("x", (3, 50), x)
    made = ir.apply(row[0], real(leaf), **row[1])
    if more == "scale":
        made = ir.scale(made, 0.5)
    elif more == "twice":
        made = ir.apply("mul", made, made)
    joined = near({"x": leaf}, made, y, seed)
    assert len(ops(joined)) == 1
    assert ops(joined)[0] in ("int8_table", "int8_relu")


def pooled(x: Value) -> Value:
    windows = {"windows_h": ((0, 2, 1), (1, 4, 1)), "windows_w": ((0, 1, 1), (0, 4, 1))}
    return ir.apply("avg_pool", x, **windows, counts_h=(2, 3), counts_w=(1, 4))


MOVED: dict[str, Callable[[Value], Value]] = {
    "reshape": lambda x: ir.reshape(x, (2, 64)),
    "transpose": lambda x: ir.transpose(x, (0, 3, 1, 2)),
    "slice": lambda x: ir.apply("slice", x, starts=(0, 1, 0, 0), stops=(2, 4, 4, 4), steps=(1, 2, 1, 1)),
    "pad": lambda x: ir.apply("pad", x, before=(0, 1, 0, 0), after=(0, 0, 2, 0), value=0.0),
    "nearest": lambda x: ir.apply("nearest", x, rows=(0, 0, 3), columns=(1, 2, 2, 3)),
    "max_pool": lambda x: ir.apply("max_pool", x, windows_h=((0, 2, 1), (2, 4, 1)), windows_w=((0, 4, 1),)),
    "concat": lambda x: ir.apply("concat", x, ir.apply("slice", x, starts=(0,) * 4, stops=(2, 4, 4, 1), steps=(1,) * 4),
                                 axis=3),
    "avg_pool": pooled,
    "mean": lambda x: ir.scale(ir.reduce("reduce_sum", x, (1, 2)), 1 / 16),
    "softmax": lambda x: ir.apply("softmax", x),
}  # fmt: skip


@given(quants(), quants(), st.sampled_from(sorted(MOVED)), st.booleans(), st.integers(0, 9999))
@settings(max_examples=2 * EXAMPLES, deadline=None)
def test_moves_pools_means_and_softmax(x: Quant, y: Quant, kind: str, same: bool, seed: int) -> None:
    """Where both scales are one a move is nothing but a move; else one row more rounds, and so by a step more."""
    leaf = codes("x", (2, 4, 4, 4), x)
    y = {"softmax": Quant((1 / 256,), (-128,))}.get(kind, x if same else y)
    steps = 1
    if y != x and kind == "avg_pool":  # the average is rounded to steps of its input, then to those of its result
        steps += int(np.ceil(0.5 * x.scale[0] / y.scale[0]))
    joined = near({"x": leaf}, MOVED[kind](real(leaf)), y, seed, steps)
    if y == x and kind not in ("avg_pool", "mean", "softmax"):
        assert "requantise" not in ops(joined)


def test_each_part_of_a_concatenation_takes_the_scale_of_the_whole() -> None:
    a, b, y = Quant((0.5,)), Quant((0.25,), (3,)), Quant((0.5,))
    left, right = codes("a", (1, 3), a), codes("b", (1, 2), b)
    joined = near({"a": left, "b": right}, ir.apply("concat", real(left), real(right), axis=1), y, 0)
    assert ops(joined) == ["requantise", "concat"]


def _between(middle: Callable[[Value], Value], tail: bool = True) -> tuple[ir.Graph, ir.Graph]:
    """A quantised convolution, ``middle``, a quantised convolution."""
    r = np.random.default_rng(1)
    x, h, z = Quant((0.0625,), (2,)), Quant((0.125,), (-5,)), Quant((0.25,), (1,))
    leaf = codes("x", (1, 5, 5, 3), x)
    first = ir.apply("conv2d", real(leaf), weight(r, (3, 3, 3, 4), 3), **GEOMETRY)
    held = real(ir.apply("quantise", middle(real(ir.apply("quantise", first, quant=h))), quant=z))
    last = ir.apply("conv2d", held, weight(r, (3, 3, 4, 2), 3), **GEOMETRY)
    made = ir.apply("quantise", last, quant=h) if tail else last
    graph = ir.Graph({"x": leaf}, {}, {"output": made})
    return graph, ir.joined(graph)


def test_what_has_no_int8_row_stays_float_between_int8_layers() -> None:
    graph, joined = _between(lambda x: ir.apply("log_softmax", x))
    ir.verify(joined)
    assert ops(joined) == ["int8_conv2d", "dequantise", "log_softmax", "quantise", "int8_conv2d"]
    apart = np.abs(ran(graph, 3).astype(int) - ran(joined, 3).astype(int))
    assert apart.max() <= 2
    assert apart.mean() < 0.1


def test_a_layer_whose_result_is_not_quantised_stays_float_with_float_weights() -> None:
    graph, joined = _between(lambda x: ir.apply("relu", x), tail=False)
    assert ops(joined) == ["int8_conv2d", "int8_relu", "dequantise", "conv2d"]
    assert not any(v.dtype == "int8" for v in joined.outputs["output"].node.inputs)
    np.testing.assert_allclose(ran(joined, 0), ran(graph, 0), atol=1.5)


def test_sums_that_could_overflow_stay_float() -> None:
    x = Quant((0.5,), (-128,))
    leaf = codes("x", (1, 70000), x)
    w = real(ir.constant(np.full((1, 70000), 127, np.int8), quant=Quant((0.001953125,))))
    made = ir.apply("matmul", real(leaf), w, trans_a=False, trans_b=True)
    joined = ir.joined(ir.Graph({"x": leaf}, {}, {"output": ir.apply("quantise", made, quant=Quant((64.0,)))}))
    assert ops(joined) == ["dequantise", "matmul", "quantise"]


@pytest.mark.parametrize("scale", [2.0**-120, 2.0**100])
def test_a_scale_that_a_row_refuses_stays_float(scale: float) -> None:
    leaf = codes("x", (1, 4), Quant((1.0,)))
    made = ir.apply("add", real(leaf), real(codes("b", (1, 4), Quant((2.0**-90,)))))
    graph = ir.Graph({"x": leaf, "b": made.node.inputs[1].node.inputs[0]}, {},
                     {"output": ir.apply("quantise", made, quant=Quant((scale,)))})  # fmt: skip
    joined = ir.joined(graph)
    ir.verify(joined)
    np.testing.assert_array_equal(ran(joined, 0), ran(graph, 0))


@pytest.mark.parametrize("shape", [(1, 1, 1, 8), (1, 8, 1, 1), (1, 1, 8, 1), (8, 1, 1, 1), (1,), (1, 8, 8, 8)])
def test_what_varies_along_rows_is_no_bias_of_channels(shape: tuple[int, ...]) -> None:
    r, x, y = np.random.default_rng(0), Quant((0.0625,), (-7,)), Quant((0.25,), (5,))
    leaf, w = codes("x", (8, 8, 8, 2), x), weight(r, (3, 3, 2, 8), 3)
    added = ir.constant(r.normal(0, 8, shape).astype(np.float32))
    layer = ir.apply("conv2d", real(leaf), w, **GEOMETRY)
    graph = ir.Graph({"x": leaf}, {}, {"output": ir.apply("quantise", ir.apply("add", layer, added), quant=y)})
    joined = ir.joined(graph)
    assert ("add" in ops(joined)) == (shape not in ((1, 1, 1, 8), (1,)))
    assert np.abs(ran(joined, 0).astype(int) - ran(graph, 0).astype(int)).max() <= 1


@pytest.mark.parametrize("after", [(), ("relu",), ("mul",)])
@pytest.mark.parametrize("value", [-1.0, 0.0, 0.31, 5.0, 400.0])
def test_what_is_put_around_keeps_its_value(value: float, after: tuple[str, ...]) -> None:
    """Where the range of what it is put around does not reach it too."""
    r, x, y = np.random.default_rng(0), Quant((0.0078125,), (3,)), Quant((0.0625,), (-100,))
    leaf, w = codes("x", (1, 4, 4, 2), x), weight(r, (3, 3, 2, 4), 3)
    for source in (real(leaf), ir.apply("conv2d", real(leaf), w, **GEOMETRY)):
        sides = (0, 1, 1, 0)
        made = ir.apply("pad", source, before=sides, after=sides, value=value)
        for op in after:
            made = ir.apply(op, made, made) if op == "mul" else ir.apply(op, made)
        graph = ir.Graph({"x": leaf}, {}, {"output": ir.apply("quantise", made, quant=y)})
        joined = ir.joined(graph)
        ir.verify(joined)
        most = 2 if "mul" in after else 1
        assert np.abs(ran(joined, 0).astype(int) - ran(graph, 0).astype(int)).max() <= most


@pytest.mark.parametrize(("scale", "kept"), [(0.03, "relu6"), (0.02, "relu"), (1e-10, "relu")])
def test_six_is_forgotten_where_no_step_reaches_it(scale: float, kept: str) -> None:
    step, r = float(np.float32(scale)), np.random.default_rng(0)
    x, y = codes("x", (1, 4, 4, 2), Quant((step,), (3,))), Quant((step,), (-128,))
    w = weight(r, (3, 3, 2, 4), 3)
    clamped = ir.apply("hardtanh", ir.apply("conv2d", real(x), w, **GEOMETRY), min=0.0, max=6.0)
    graph = ir.Graph({"x": x}, {}, {"output": ir.apply("quantise", clamped, quant=y)})
    (row,) = [node for node in ir.joined(graph).nodes() if node.op == "int8_conv2d"]
    assert row.attrs["activation"] == kept
    assert np.abs(ran(ir.joined(graph), 1).astype(int) - ran(graph, 1).astype(int)).max() <= 1


def test_a_float_bias_is_rounded_to_the_scale_of_the_products() -> None:
    r = np.random.default_rng(0)
    x = Quant((0.03125,), (-4,))
    leaf, w = (
        codes("x", (4, 8), x),
        real(ir.constant(r.integers(-127, 128, (5, 8)).astype(np.int8), quant=Quant((0.5,)))),
    )
    plain = ir.constant(np.array([0.3, -1.7, 0.0, 2.0, 1.0], np.float32))
    made = ir.apply("add", ir.apply("matmul", real(leaf), w, trans_a=False, trans_b=True), plain)
    joined = near({"x": leaf}, made, Quant((0.25,)), 0)
    whole = next(n for n in joined.nodes() if n.op == "int8_linear").inputs[2].node.attrs["value"]
    np.testing.assert_array_equal(whole, np.rint(np.array([0.3, -1.7, 0.0, 2.0, 1.0], np.float32) / (0.03125 * 0.5)))


def test_weights_that_are_state_are_not_joined_until_they_are_frozen() -> None:
    x = Quant((0.5,))
    leaf = codes("x", (1, 4), x)
    w = ir.state_leaf("w", ir.Spec((2, 4), "int8", Quant((0.25,))), "buffer")
    made = ir.apply("matmul", real(leaf), real(w), trans_a=False, trans_b=True)
    graph = ir.Graph({"x": leaf}, {"w": w}, {"output": ir.apply("quantise", made, quant=Quant((1.0,)))})
    assert ops(ir.joined(graph)) == ops(graph)
    frozen = ir.frozen(graph, {"w": np.arange(8, dtype=np.int8).reshape(2, 4)})
    assert ops(ir.joined(frozen)) == ["int8_linear"]
