"""Contract of the op table: every row has a case, and its value and gradient are PyTorch's, in float64."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from selvedge import ir
from selvedge.capture import gradients

from .cases import MAKERS, Case, Maker
from .integer.cases import MAKERS as INT8

SEEDS = range(8)


def graph_of(case: Case, dtype: str | None = None) -> tuple[ir.Graph, dict[str, np.ndarray], list[ir.Value]]:
    """The case as a graph of one node, all its results as outputs."""
    arrays = {f"x{i}": a.astype(dtype) if dtype and a.dtype.kind == "f" else a for i, a in enumerate(case.arrays)}
    leaves = {n: ir.input_leaf(n, ir.Spec(a.shape, a.dtype.name)) for n, a in arrays.items()}
    attrs = {**case.attrs, "dtype": dtype} if dtype and "dtype" in case.attrs else case.attrs
    results = ir.results(case.op, *leaves.values(), **attrs)
    graph = ir.Graph(leaves, {}, {f"y{i}": v for i, v in enumerate(results)})
    return graph, arrays, list(leaves.values())


def gradient_graph(
    case: Case, cotangent: np.ndarray, dtype: str | None = None
) -> tuple[ir.Graph, dict[str, np.ndarray]]:
    """Of every float operand, for the gradient ``cotangent`` of the first result."""
    graph, arrays, leaves = graph_of(case, dtype)
    y = graph.outputs["y0"]
    weighted = ir.apply("mul", y, ir.constant(cotangent, dtype))
    loss = ir.reduce("reduce_sum", weighted, range(len(y.shape)))
    found = gradients(loss, [v for v in leaves if v.spec.is_float])
    return ir.Graph(graph.inputs, {}, {v.node.attrs["name"]: g for v, g in found.items()}), arrays


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("maker", MAKERS, ids=lambda m: m.__name__)
def test_value_and_gradient_are_pytorchs(maker: Maker, seed: int) -> None:
    rng = np.random.default_rng(seed)
    case = maker(rng)
    graph, arrays, _ = graph_of(case)
    tensors = [torch.from_numpy(a.copy()).requires_grad_(a.dtype.kind == "f") for a in case.arrays]
    expected = case.torch(*tensors)
    got = ir.interpret(graph, arrays, {})["y0"]
    np.testing.assert_allclose(got, expected.detach().numpy(), rtol=1e-10, atol=1e-12)
    if not expected.requires_grad:
        return
    cotangent = rng.normal(size=expected.shape)
    expected.backward(torch.from_numpy(np.asarray(cotangent)))
    gradient, arrays = gradient_graph(case, cotangent)
    ir.verify(gradient)
    found = ir.interpret(gradient, arrays, {})
    for i, tensor in enumerate(tensors):
        if tensor.grad is not None:
            zero = np.zeros(tensor.shape)
            np.testing.assert_allclose(found.get(f"x{i}", zero), tensor.grad.numpy(), rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("maker", MAKERS, ids=lambda m: m.__name__)
def test_results_are_as_inferred_and_float32_stays_float32(maker: Maker) -> None:
    for dtype in ("float32", "float64"):
        graph, arrays, _ = graph_of(maker(np.random.default_rng(1)), dtype)
        found = ir.interpret(graph, arrays, {})
        for name, value in graph.outputs.items():
            assert (found[name].shape, found[name].dtype.name) == (value.shape, value.dtype)


def test_every_row_is_tested() -> None:
    """Forward rows by a case of their own (those of int8 in tests/ir/integer), gradient rows by that of a case."""
    seen = set(INT8)
    for maker in MAKERS:
        case = maker(np.random.default_rng(0))
        seen.add(case.op)
        y = graph_of(case)[0].outputs["y0"]
        if y.spec.is_float and ir.TABLE[case.op].gradient is not None:
            graph, _ = gradient_graph(case, np.ones(y.shape))
            seen.update(node.op for node in graph.nodes())
    assert not sorted(set(ir.TABLE) - seen)


def test_costs_count_multiply_accumulates() -> None:
    x, w = ir.Spec((2, 5, 5, 4)), ir.Spec((3, 3, 2, 6))
    attrs = {"stride": (1, 1), "padding": ((1, 1), (1, 1)), "dilation": (1, 1), "groups": 2}
    row = ir.TABLE["conv2d"]
    assert row.cost([x, w], row.infer([x, w], attrs), attrs).macs == 2 * 5 * 5 * 6 * 3 * 3 * 2
    row, attrs = ir.TABLE["matmul"], {"trans_a": True, "trans_b": False}
    specs = [ir.Spec((7, 3)), ir.Spec((7, 5))]
    assert row.cost(specs, row.infer(specs, attrs), attrs).macs == 3 * 7 * 5


@pytest.mark.parametrize("maker", MAKERS, ids=lambda m: m.__name__)
def test_every_row_has_a_cost(maker: Maker) -> None:
    node = graph_of(maker(np.random.default_rng(2)))[0].outputs["y0"].node
    cost = ir.TABLE[node.op].cost([v.spec for v in node.inputs], node.specs, node.attrs)
    assert min(cost.macs, cost.ops) >= 0


BOUNDARIES = {
    "relu": [0.0, -0.0, np.nan],
    "hardtanh": [0.0, 6.0, -1.0, 7.0, np.nan],
    "clamp": [-1.0, 2.0, 3.0, -3.0],
    "hardswish": [-3.0, 3.0, 0.0, -4.0, 4.0],
    "hardsigmoid": [-3.0, 3.0, 0.0],
    "leaky_relu": [0.0, -0.0],
    "elu": [0.0, -0.0, -800.0],
    "softplus": [20.0, 20.5, 800.0, -800.0],
    "sigmoid": [800.0, -800.0],
    "abs": [0.0],
}


@pytest.mark.parametrize("op", BOUNDARIES)
def test_boundaries_are_pytorchs(op: str) -> None:
    case = next(c for c in (m(np.random.default_rng(0)) for m in MAKERS) if c.op == op)
    x = np.array(BOUNDARIES[op])
    case = Case(op, (x,), F.hardsigmoid if op == "hardsigmoid" else case.torch, case.attrs)
    tensor = torch.from_numpy(x.copy()).requires_grad_()
    y = case.torch(tensor)
    y.sum().backward()
    graph, arrays, _ = graph_of(case)
    np.testing.assert_allclose(ir.interpret(graph, arrays, {})["y0"], y.detach().numpy(), rtol=1e-7)
    gradient, arrays = gradient_graph(case, np.ones(x.shape))
    np.testing.assert_allclose(ir.interpret(gradient, arrays, {})["x0"], tensor.grad.numpy(), rtol=1e-7)


def test_max_pool_lets_nan_through_and_counts_inside_the_clipped_window() -> None:
    x = np.zeros((1, 3, 3, 1))
    x[0, 1, 1, 0] = np.nan
    windows = {"windows_h": ((0, 2, 1), (1, 3, 1)), "windows_w": ((0, 1, 1), (0, 3, 1))}
    leaf = ir.input_leaf("x", ir.Spec(x.shape, "float64"))
    y, index = ir.results("max_pool", leaf, **windows)
    found = ir.interpret(ir.Graph({"x": leaf}, {}, {"y": y, "index": index}), {"x": x}, {})
    assert index.dtype == "uint8"
    np.testing.assert_array_equal(np.isnan(found["y"][0, :, :, 0]), [[False, True], [False, True]])
    np.testing.assert_array_equal(found["index"][0, :, :, 0], [[0, 4], [0, 1]])


REFUSALS = [
    ("add", [(2, 3), (4, 3)], {}, "shapes"),
    ("reshape", [(2, 3)], {"shape": (5,)}, "shape is (5,); must have 6 elements"),
    ("transpose", [(2, 3)], {"perm": (0, 0)}, "perm is (0, 0)"),
    ("slice", [(4,)], {"starts": (1,), "stops": (5,), "steps": (1,)}, "starts and stops"),
    ("slice", [(4,)], {"starts": (1,), "stops": (3,), "steps": (0,)}, "steps is (0,)"),
    ("part", [(4, 3)], {"axis": 2, "count": 1}, "axis is 2"),
    ("part", [(4, 3)], {"axis": 1, "count": 4}, "count is 4"),
    ("part", [(4, 3)], {"axis": 1, "count": 0}, "count is 0"),
    ("with_part", [(2, 3), (4, 4)], {"axis": 0}, "new is"),
    ("with_part", [(5, 3), (4, 3)], {"axis": 0}, "new is"),
    ("with_part", [(3,), (4, 3)], {"axis": 0}, "new is"),
    ("unslice", [(3,)], {"shape": (3,), "starts": (1,), "steps": (1,)}, "shape is (3,)"),
    ("pad", [(4,)], {"before": (-1,), "after": (0,), "value": 0}, "before is (-1,)"),
    ("concat", [(2, 3), (2, 4)], {"axis": 0}, "input is"),
    ("broadcast", [(2, 3)], {"shape": (2, 1)}, "shape is (2, 1)"),
    ("reduce_sum", [(2, 3, 4)], {"axes": (0, 2), "keepdims": False}, "axes is (0, 2)"),
    ("matmul", [(2, 3), (4, 5)], {"trans_a": False, "trans_b": False}, "inner lengths is (3, 4)"),
    ("leaky_relu", [(2,)], {}, "attribute 'slope' is missing"),
    ("gelu", [(2,)], {"approximate": "quick"}, 'must be "none" or "tanh"'),
    ("normalize", [(2, 3, 4)], {"eps": 1e-5}, "must have 4 axes"),
    ("cross_entropy", [(2, 3), (2,)], {"label_smoothing": 0.0}, "labels is float32[2]; must be int32[2]"),
    ("max_pool", [(1, 4, 4, 1)], {"windows_h": ((0, 5, 1),), "windows_w": ((0, 1, 1),)}, "windows_h is (0, 5, 1)"),
    ("neg", [(2,), (2,)], {}, "number of inputs is 2; must be 1"),
]


@pytest.mark.parametrize(("op", "shapes", "attrs", "message"), REFUSALS, ids=lambda v: v if isinstance(v, str) else "")
def test_shape_rules_name_field_value_and_what_is_allowed(op, shapes, attrs, message) -> None:
    leaves = [ir.input_leaf(f"x{i}", ir.Spec(s)) for i, s in enumerate(shapes)]
    with pytest.raises(ValueError) as error:
        ir.apply(op, *leaves, **attrs)
    assert str(error.value).startswith(f"{op}: ")
    assert message in str(error.value)


CONVOLUTION = {"stride": (1, 1), "padding": ((0, 0), (0, 0)), "dilation": (1, 1), "groups": 1}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"stride": (0, 1)}, "stride is (0, 1)"),
        ({"padding": (1, 1)}, "padding is (1, 1)"),
        ({"groups": 2}, "input channels is 3; must be 6"),
        ({"dilation": (4, 1)}, "kernel is (3, 3); must fit"),
    ],
)
def test_convolution_refuses(change, message) -> None:
    x, w = ir.input_leaf("x", ir.Spec((1, 6, 6, 3))), ir.input_leaf("w", ir.Spec((3, 3, 3, 4)))
    with pytest.raises(ValueError, match="conv2d: ") as error:
        ir.apply("conv2d", x, w, **{**CONVOLUTION, **change})
    assert message in str(error.value)


def test_labels_out_of_range_are_refused() -> None:
    logits, labels = ir.input_leaf("x", ir.Spec((2, 3))), ir.input_leaf("y", ir.Spec((2,), "int32"))
    loss = ir.apply("cross_entropy", logits, labels, label_smoothing=0.0)
    graph = ir.Graph({"x": logits, "y": labels}, {}, {"loss": loss})
    with pytest.raises(ValueError, match=r"labels are 0\.\.3; must lie in 0\.\.2"):
        ir.interpret(graph, {"x": np.zeros((2, 3)), "y": np.array([0, 3])}, {})
