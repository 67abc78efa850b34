"""Rows written out in simpler rows mean what they meant: by the interpreter, in float64."""

from __future__ import annotations

import numpy as np
import pytest

from selvedge import ir
from selvedge.capture import SGD, capture, loss, programs
from selvedge.ir.expand import expanded
from selvedge.ir.expansions import RULES
from selvedge.zoo import make

STEPS = (
    "resnet8?width=0.25",
    "mobilenet_v3_small?width=0.25&resolution=32",
    "efficientnet_b0?width=0.25&resolution=32",
    "shufflenet_v2_x0_5?resolution=32",
    "text_cnn?length=12",
    "keyword_gru?length=4",
    "keyword_lstm?length=4",
    "char_gru?length=4",
    "har_fcn?width=0.25&length=32",
)


def agree(graph: ir.Graph, inputs: dict[str, np.ndarray], state: dict[str, np.ndarray]) -> set[str]:
    """The rows that were written out."""
    made = expanded(graph)
    ir.verify(made)
    ops = {node.op for node in graph.nodes()}
    assert not {n.op for n in made.nodes()} & ops & set(RULES)
    was, now = (ir.interpret(g, inputs, state, dtype="float64") for g in (graph, made))
    for name, array in was.items():
        np.testing.assert_allclose(now[name], array, rtol=1e-12, atol=1e-12, err_msg=name)
    return ops & set(RULES)


@pytest.mark.parametrize("spec", STEPS)
def test_a_training_step_is_what_it_was(spec: str) -> None:
    model, example, which = make(spec)
    captured = capture(model.eval(), (example,))
    made = programs(captured, loss(which), SGD(0.1, momentum=0.9), captured.trainable)
    rng = np.random.default_rng(0)
    inputs = {
        "x": captured.layouts["x"].store(example.numpy()),
        "y": rng.integers(0, 2, made.step.inputs["y"].shape, dtype=np.int32),
        "lr": np.array(0.1, np.float32),
    }
    assert agree(made.step, inputs, {**captured.stored(), **made.optimizer_state})


def _unary(op: str, **attrs: object) -> ir.Graph:
    leaves = {n: ir.input_leaf(n, ir.Spec((3, 41), "float64")) for n in ("dy", "x")}
    return ir.Graph(leaves, {}, {"dx": ir.apply(op, leaves["dy"], leaves["x"], **attrs)})


@pytest.mark.parametrize(
    ("op", "attrs"),
    [
        ("clamp_grad", {"min": -1.0, "max": 2.0}),
        ("elu_grad", {"alpha": 1.5}),
        ("gelu_grad", {"approximate": "none"}),
        ("gelu_grad", {"approximate": "tanh"}),
        ("hardsigmoid_grad", {}),
        ("hardswish_grad", {}),
        ("hardtanh_grad", {"min": -1.0, "max": 2.0}),
        ("leaky_relu_grad", {"slope": 0.1}),
        ("log_softmax_grad", {}),
        ("relu_grad", {}),
        ("sigmoid_grad", {}),
        ("silu_grad", {}),
        ("softmax_grad", {}),
        ("softplus_grad", {}),
        ("tanh_grad", {}),
    ],
)
def test_a_gradient_is_what_it_was_at_its_boundaries_too(op: str, attrs: dict[str, object]) -> None:
    dy = np.random.default_rng(0).standard_normal((3, 41))
    x = np.broadcast_to(np.linspace(-5, 5, 41), (3, 41)).copy()
    x[2] *= 6  # beyond 20, and both -1, 2, 3 and -3 are met above
    agree(_unary(op, **attrs), {"dy": dy, "x": x}, {})


def test_rows_that_no_network_of_the_zoo_has() -> None:
    spec = ir.Spec((2, 3, 4, 5), "float64")
    x, dy = ir.input_leaf("x", spec), ir.input_leaf("dy", spec)
    xhat, rstd = ir.results("normalize", x, eps=1e-5)
    rows, index = ir.input_leaf("rows", ir.Spec((2, 6, 3), "float64")), ir.input_leaf("index", ir.Spec((2, 4), "int32"))
    wide = ir.input_leaf("wide", ir.Spec((2, 4, 3), "float64"))
    h = ir.input_leaf("h", ir.Spec((2, 3), "float64"))
    w = ir.input_leaf("w", ir.Spec((3, 3), "float64"))
    y = ir.apply("rnn", rows, w, h, act="relu", reverse=True, batch_first=True)
    outputs = {
        "bce": ir.apply("bce_logits", x, dy),
        "xhat": xhat,
        "dx": ir.apply("normalize_grad", dy, xhat, rstd),
        "detached": ir.apply("detach", ir.apply("neg", x)),
        "zero": ir.apply("zero", x),
        "part": ir.apply("with_part", ir.apply("part", x, axis=3, count=2), dy, axis=3),
        "onto": ir.apply("scatter_onto", rows, wide, index, skip=1),
        "added": ir.apply("scatter_add", wide, index, rows=6, skip=-1),
        "rnn": y,
        "rnn_grad": ir.apply("rnn_grad", y, w, y, act="relu", reverse=True, batch_first=True),
        "sparse": ir.apply("sparse_matmul", h, w, entries=9),
        "unslice": ir.apply("unslice", x, shape=(2, 9, 6, 5), starts=(0, 1, 1, 0), steps=(1, 3, 1, 1)),
    }
    rng = np.random.default_rng(0)
    inputs = {v.node.attrs["name"]: rng.standard_normal(v.shape) for v in (x, dy, rows, wide, h, w)}
    inputs["index"] = rng.integers(0, 6, (2, 4), dtype=np.int32)
    leaves = {v.node.attrs["name"]: v for v in (x, dy, rows, index, wide, h, w)}
    seen = agree(ir.Graph(leaves, {}, outputs), inputs, {})
    assert seen >= {"bce_logits", "normalize", "normalize_grad", "with_part", "scatter_onto", "rnn", "rnn_grad"}


@pytest.mark.parametrize(
    ("windows", "size"),
    [
        (((0, 2, 1), (1, 4, 1), (3, 6, 1)), 6),  # padded, overlapping
        (((0, 6, 1),), 6),  # one window sees all
        (((0, 5, 2), (1, 6, 2)), 6),  # dilated
        (((0, 2, 1), (1, 4, 1), (2, 3, 1)), 6),  # of several lengths
    ],
)
def test_a_maximum_and_its_gradient_go_where_they_went(windows: tuple[tuple[int, int, int], ...], size: int) -> None:
    x = ir.input_leaf("x", ir.Spec((2, size, size, 3), "float64"))
    y, index = ir.results("max_pool", x, windows_h=windows, windows_w=windows)
    dy = ir.input_leaf("dy", y.spec)
    attrs = {"windows_h": windows, "windows_w": windows, "input_shape": x.shape}
    graph = ir.Graph({"x": x, "dy": dy}, {}, {"y": y, "dx": ir.apply("max_pool_grad", dy, index, **attrs)})
    rng = np.random.default_rng(0)
    for given in (rng.standard_normal(x.shape), rng.integers(0, 2, x.shape).astype(float)):  # the second has ties
        agree(graph, {"x": given, "dy": rng.standard_normal(y.shape)}, {})


def test_a_label_that_is_ignored_counts_nowhere() -> None:
    logits, labels = ir.input_leaf("z", ir.Spec((4, 3), "float64")), ir.input_leaf("y", ir.Spec((4,), "int32"))
    value, probs = ir.results("cross_entropy", logits, labels, label_smoothing=0.1)
    one = ir.scalar(1, value)
    dz = ir.apply("cross_entropy_grad", probs, labels, one, label_smoothing=0.1)
    graph = ir.Graph({"z": logits, "y": labels}, {}, {"loss": value, "dz": dz})
    z = np.random.default_rng(0).standard_normal((4, 3))
    agree(graph, {"z": z, "y": np.array([0, -100, 2, 1], np.int32)}, {})
    agree(graph, {"z": z, "y": np.full(4, -100, np.int32)}, {})
