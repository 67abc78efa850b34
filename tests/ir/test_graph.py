"""Builders, the interpreter and the simplifier, on graphs and not on single rows."""

from __future__ import annotations

import numpy as np
import pytest

from selvedge import ir
from selvedge.ir import Graph, Spec


def _run(value: ir.Value, **inputs: np.ndarray) -> np.ndarray:
    leaves = {n.attrs["name"]: ir.Value(n) for n in ir.topological([value.node]) if n.op == "input"}
    return ir.interpret(Graph(leaves, {}, {"y": value}), inputs, {})["y"]


def _x(*shape: int) -> ir.Value:
    return ir.input_leaf("x", Spec(shape, "float64"))


@pytest.mark.parametrize("axes", [(0,), (1, 3), (0, 2), (0, 1, 2, 3), (), (-1,), (0, 3)])
@pytest.mark.parametrize("keepdims", [False, True])
@pytest.mark.parametrize("shape", [(2, 3, 4, 5), (2, 1, 4, 5), (1, 3, 1, 5), (1, 1, 1, 1)])
def test_reduce_over_any_axes(shape, axes, keepdims) -> None:
    x = np.random.default_rng(0).normal(size=shape)
    for row, meaning in (("reduce_sum", np.sum), ("reduce_max", np.max)):
        got = _run(ir.reduce(row, _x(*shape), axes, keepdims), x=x)
        np.testing.assert_allclose(got, meaning(x, axis=axes, keepdims=keepdims) if axes else x)


def test_reduce_makes_one_node_for_each_run_of_axes() -> None:
    def sums(value: ir.Value) -> int:
        return sum(n.op == "reduce_sum" for n in ir.topological([value.node]))

    assert sums(ir.reduce("reduce_sum", _x(2, 3, 4, 5), (0, 1, 2))) == 1
    assert sums(ir.reduce("reduce_sum", _x(2, 3, 4, 5), (0, 2))) == 2
    assert sums(ir.reduce("reduce_sum", _x(2, 1, 4, 5), (0, 2))) == 1
    assert sums(ir.reduce("reduce_sum", _x(1, 3, 1, 5), (0, 2))) == 0


@pytest.mark.parametrize("shape", [(), (5,), (1, 5), (4, 1), (3, 1, 1), (3, 1, 5), (2, 3, 4, 5)])
def test_unbroadcast_is_the_adjoint_of_broadcasting(shape) -> None:
    rng = np.random.default_rng(0)
    full = (2, 3, 4, 5)
    small, large = rng.normal(size=shape), rng.normal(size=full)
    summed = _run(ir.unbroadcast(_x(*full), shape), x=large)
    assert summed.shape == shape
    np.testing.assert_allclose((summed * small).sum(), (np.broadcast_to(small, full) * large).sum())


def test_transposes_and_reshapes_collapse() -> None:
    x = _x(2, 3, 4)
    assert ir.transpose(ir.transpose(x, (2, 0, 1)), (1, 2, 0)) == x
    assert ir.reshape(ir.reshape(x, (6, 4)), (2, 3, 4)) == x
    assert ir.reshape(ir.reshape(x, (6, 4)), (24,)).node.inputs == (x,)
    assert ir.transpose(_x(2, 1, 3), (1, 0, 2)).node.op == "reshape"


def test_constants_are_read_only() -> None:
    array = np.ones(3)
    value = ir.constant(array)
    array[0] = 2
    assert value.node.attrs["value"][0] == 1
    with pytest.raises(ValueError, match="read-only"):
        value.node.attrs["value"][0] = 3


def test_interpret_names_a_missing_and_a_mis_shaped_leaf() -> None:
    x = _x(2)
    graph = Graph({"x": x}, {}, {"y": ir.apply("neg", x)})
    with pytest.raises(ValueError, match="input 'x' is missing; given: z"):
        ir.interpret(graph, {"z": np.zeros(2)}, {})
    with pytest.raises(ValueError, match=r"input 'x' has shape \(3,\); must be \(2,\)"):
        ir.interpret(graph, {"x": np.zeros(3)}, {})


def test_interpret_in_another_precision() -> None:
    x = ir.input_leaf("x", Spec((2,)))
    graph = Graph({"x": x}, {}, {"y": ir.apply("exp", x)})
    assert ir.interpret(graph, {"x": np.ones(2)}, {})["y"].dtype == np.float32
    found = ir.interpret(graph, {"x": np.ones(2)}, {}, dtype="float64")["y"]
    np.testing.assert_allclose(found, np.exp(np.ones(2)), rtol=1e-15)


def test_graphs_of_many_nodes_and_forks_stay_cheap() -> None:
    """A chain of 5,000 forks has 2**5000 paths."""
    value = x = _x(1)
    for _ in range(5000):
        value = ir.apply("maximum", value, value)
    graph = Graph({"x": x}, {}, {"y": value})
    assert ir.problems(graph) == []
    assert len(ir.simplified(graph).nodes()) == 5001
    assert _run(value, x=np.ones(1))[0] == 1


def test_simplified_folds_neutral_elements_constants_and_copies() -> None:
    x = _x(3)
    two = ir.apply("add", ir.scalar(1, x), ir.scalar(1, x))
    y = ir.apply("add", ir.apply("mul", ir.scale(x, 1.0), ir.scalar(1, x)), ir.zeros(Spec((), "float64")))
    once, again = ir.apply("mul", y, two), ir.apply("mul", x, ir.scalar(2, x))
    graph = ir.simplified(Graph({"x": x}, {}, {"y": ir.apply("sub", once, again)}))
    assert sorted(n.op for n in graph.nodes()) == ["constant", "input", "mul", "sub"]
    assert ir.interpret(graph, {"x": np.ones(3)}, {})["y"].tolist() == [0, 0, 0]


def test_simplified_keeps_shapes_and_leaves() -> None:
    x = _x(1)
    wide = ir.apply("add", x, ir.constant(np.zeros(4)))
    state = ir.state_leaf("w", Spec((), "float64"), "parameter")
    graph = ir.simplified(Graph({"x": x}, {"w": state}, {"y": wide, "w": ir.apply("add", state, ir.scalar(0, state))}))
    assert graph.outputs["y"].shape == (4,)
    assert graph.outputs["w"] == state
    assert ir.problems(Graph({"x": x}, {}, {"y": graph.outputs["y"]})) == []
