"""The verifier says what is wrong with broken graphs, and nothing of sound ones."""

from __future__ import annotations

import numpy as np
import pytest

from selvedge import ir
from selvedge.ir import Graph, Node, Spec, Value


def _sound() -> tuple[Value, Value, Value]:
    x, w = ir.input_leaf("x", Spec((2, 3))), ir.state_leaf("w", Spec((3, 4)), "parameter")
    return x, w, ir.apply("matmul", x, w, trans_a=False, trans_b=False)


def _stepped() -> tuple[Value, Value, Value]:
    """x, w and a sound new value of w."""
    x, w, y = _sound()
    gradient = ir.apply("matmul", x, y, trans_a=True, trans_b=False)
    return x, w, ir.apply("sub", w, gradient)


def test_a_sound_graph_has_no_problems() -> None:
    x, w, new = _stepped()
    graph = Graph({"x": x}, {"w": w}, {"w": new})
    assert ir.problems(graph) == []
    ir.verify(graph)


def _dangling() -> Graph:
    x, w, y = _sound()
    return Graph({"x": x}, {"w": w}, {"y": Value(y.node, 1)})


def _dangling_input() -> Graph:
    x, w, y = _sound()
    node = Node("neg", (Value(y.node, 3),), y.node.specs)
    return Graph({"x": x}, {"w": w}, {"y": Value(node)})


def _wrong_spec() -> Graph:
    x, w, y = _sound()
    node = Node("neg", (y,), (Spec((2, 5)),))
    return Graph({"x": x}, {"w": w}, {"y": Value(node)})


def _unknown_op() -> Graph:
    x, w, y = _sound()
    return Graph({"x": x}, {"w": w}, {"y": Value(Node("conjure", (y,), y.node.specs))})


def _bad_shapes() -> Graph:
    x, w, _ = _sound()
    return Graph({"x": x}, {"w": w}, {"y": Value(Node("add", (x, w), (Spec((2, 3)),)))})


def _unlisted_state() -> Graph:
    x, _, y = _sound()
    return Graph({"x": x}, {}, {"y": y})


def _unlisted_input() -> Graph:
    _, w, y = _sound()
    return Graph({}, {"w": w}, {"y": y})


def _misnamed() -> Graph:
    x, w, y = _sound()
    return Graph({"x": x}, {"v": w}, {"y": y})


def _twice_named() -> Graph:
    x, w, y = _sound()
    return Graph({"x": x, "w": ir.input_leaf("w", Spec(()))}, {"w": w}, {"y": y})


def _update_of_another_shape() -> Graph:
    x, w, new = _stepped()
    return Graph({"x": x}, {"w": w}, {"w": ir.transpose(new, (1, 0))})


def _update_without_itself() -> Graph:
    x, w, _ = _stepped()
    other = ir.broadcast(ir.reduce("reduce_sum", x, (0, 1)), (3, 4))
    return Graph({"x": x}, {"w": w}, {"w": other})


def _lost_gradient() -> Graph:
    w, lr = ir.state_leaf("w", Spec((3, 4)), "parameter"), ir.input_leaf("lr", Spec(()))
    return Graph({"lr": lr}, {"w": w}, {"w": ir.apply("sub", w, ir.apply("mul", w, lr))})


def test_a_gradient_that_was_accumulated_is_data() -> None:
    w = ir.state_leaf("w", Spec((3, 4)), "parameter")
    lr, sums = ir.input_leaf("lr", Spec(())), ir.state_leaf("w.accumulator", Spec((3, 4)), "accumulator")
    new = ir.apply("sub", w, ir.apply("mul", sums, lr))
    assert ir.problems(Graph({"lr": lr}, {"w": w, "w.accumulator": sums}, {"w": new})) == []


def _stale_slot() -> Graph:
    x, w, new = _stepped()
    slot = ir.state_leaf("w.momentum", Spec((3, 4)), "optimizer")
    return Graph({"x": x}, {"w": w, "w.momentum": slot}, {"w": ir.apply("add", new, slot)})


def _writeable_constant() -> Graph:
    array = np.zeros(3, np.float32)
    return Graph({}, {}, {"y": Value(Node("constant", (), (Spec((3,)),), {"value": array}))})


def _false_constant() -> Graph:
    array = np.zeros(3)
    array.setflags(write=False)
    return Graph({}, {}, {"y": Value(Node("constant", (), (Spec((3,)),), {"value": array}))})


def _bare_leaf() -> Graph:
    return Graph({}, {}, {"y": Value(Node("state", (), (Spec(()),), {"name": "w"}))})


def _odd_kind() -> Graph:
    leaf = ir.state_leaf("w", Spec(()), "memory")
    return Graph({}, {"w": leaf}, {"y": leaf})


def _cycle() -> Graph:
    x, w, y = _sound()
    first = Node("neg", (y,), y.node.specs)
    second = Node("neg", (Value(first),), y.node.specs)
    object.__setattr__(first, "inputs", (Value(second),))
    return Graph({"x": x}, {"w": w}, {"y": Value(second)})


def _nothing() -> Graph:
    return Graph({}, {}, {})


BROKEN = [
    (_dangling, "output 'y' is result 1 of <matmul -> float32[2,4]>, which has 1"),
    (_dangling_input, "an input of <neg -> float32[2,4]> is result 3"),
    (_wrong_spec, "<neg -> float32[2,5]> should give float32[2,4]"),
    (_unknown_op, "op 'conjure' is not in the table"),
    (_bad_shapes, "must broadcast the numpy way"),
    (_unlisted_state, "state leaf 'w' is read but not named by the graph"),
    (_unlisted_input, "input leaf 'x' is read but not named by the graph"),
    (_misnamed, "state 'v' is another leaf"),
    (_twice_named, "'w' names both an input and state"),
    (_update_of_another_shape, "the new value of 'w' is float32[4,3]; must be float32[3,4]"),
    (_update_without_itself, "the new value of 'w' does not depend on its old value"),
    (_lost_gradient, "the new value of 'w' depends on no input"),
    (_stale_slot, "optimizer state 'w.momentum' is never updated"),
    (_writeable_constant, "a constant array is writeable"),
    (_false_constant, "must be an array of float32[3]"),
    (_bare_leaf, "has no attribute kind, layout"),
    (_odd_kind, "state 'w' is of kind 'memory'"),
    (_cycle, "which comes after it"),
    (_nothing, "it has no outputs"),
]


@pytest.mark.parametrize(("make", "message"), BROKEN, ids=lambda v: v.__name__[1:] if callable(v) else "")
def test_broken_graphs_are_named(make, message) -> None:
    graph = make()
    assert any(message in line for line in ir.problems(graph)), ir.problems(graph)
    with pytest.raises(ValueError, match=r"^broken graph: "):
        ir.verify(graph)
