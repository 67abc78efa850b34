"""Operators element by element, and softmax."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from selvedge.ir import Value, apply, constant, reshape, transpose

from .reading import Node, lifted


def same_rank(node: Node, count: int) -> tuple[list[Value], bool]:
    """The first ``count`` inputs with as many axes each, and whether channels last."""
    rank = max(len(node.shape(i)) for i in range(count))
    last = rank == 4 and any(node.last(i) for i in range(count))
    return [lifted(node, i, rank, last) for i in range(count)], last


def _two(row: str) -> Callable[[Node], None]:
    def rule(node: Node) -> None:
        node.count(2)
        values, last = same_rank(node, 2)
        for value in values:
            if not value.spec.is_float:
                node.unsupported(f"{node.operator.said} of {value.dtype}", "give it float32: integers do not compute")
        node.put(apply(row, *values, where=node.where), last)

    return rule


def _one(row: str, **fixed: Any) -> Callable[[Node], None]:
    def rule(node: Node) -> None:
        node.count(1)
        if not node.value(0, node.last(0)).spec.is_float:
            node.unsupported(f"{node.operator.said} of {node.value(0, node.last(0)).dtype}", "give it float32")
        node.put(apply(row, node.value(0, node.last(0)), where=node.where, **fixed), node.last(0))

    return rule


def _numbered(row: str, field: str, name: str, default: float) -> Callable[[Node], None]:
    def rule(node: Node) -> None:
        _one(row, **{field: node.number(name, default)})(node)

    return rule


def _clip(node: Node) -> None:
    node.count(1, 3)
    last = node.last(0)
    x = node.value(0, last)
    if not x.spec.is_float:
        node.unsupported(f"Clip of {x.dtype}", "give it float32")
    ends = []
    for i, none in ((1, -math.inf), (2, math.inf)):
        if node.name(i) and node.value(i).node.op != "constant":
            _clip_by(node)
            return
        found = none
        if node.name(i):
            array = node.array(i)
            node.require(array.size == 1, f"input {i}", list(array.shape), "one number")
            found = float(array.reshape(()))
        ends.append(found)
    node.require(ends[0] <= ends[1], "bounds", ends, "the least is not above the most")
    if ends == [0.0, math.inf]:
        made = apply("relu", x, where=node.where)
    else:
        made = apply("clamp", x, min=ends[0], max=ends[1], where=node.where)
    node.put(made, last)


def _clip_by(node: Node) -> None:
    """By bounds that are known when it runs; where they cross, the upper one holds."""
    last = node.last(0)
    made = node.value(0, last)
    for i, row in ((1, "maximum"), (2, "minimum")):
        if node.name(i):
            node.require(node.value(i).spec.size == 1, f"input {i}", node.shape(i), "one number")
            made = apply(row, made, reshape(node.value(i), ()), where=node.where)
    node.put(made, last)


def _hard_sigmoid(node: Node) -> None:
    node.count(1)
    slope, middle = node.number("alpha", 0.2), node.number("beta", 0.5)
    if math.isclose(slope, 1 / 6, rel_tol=1e-6) and middle == 0.5:
        _one("hardsigmoid")(node)
        return
    last = node.last(0)
    x = node.value(0, last)
    line = apply("add", apply("mul", x, constant(slope, x.dtype)), constant(middle, x.dtype), where=node.where)
    node.put(apply("clamp", line, min=0.0, max=1.0, where=node.where), last)


def _softmax(row: str) -> Callable[[Node], None]:
    def rule(node: Node) -> None:
        node.count(1)
        rank = len(node.shape(0))
        axis = node.axis(node.integer("axis", -1), rank)
        last = rank == 4 and axis == 1
        if last or axis == rank - 1:
            node.put(apply(row, node.value(0, last), where=node.where), last)
            return
        perm = tuple(rank - 1 if a == axis else axis if a == rank - 1 else a for a in range(rank))
        made = apply(row, transpose(node.value(0), perm, node.where), where=node.where)
        node.put(transpose(made, perm, node.where))

    return rule


def _gelu(node: Node) -> None:
    _one("gelu", approximate=node.text("approximate", "none"))(node)


ELEMENTWISE: dict[str, Callable[[Node], None]] = {
    **{
        op: _two(row) for op, row in {"Add": "add", "Sub": "sub", "Mul": "mul", "Div": "div"}.items()
    },
    **{
        op: _one(row)
        for op, row in {
            "Relu": "relu", "Sigmoid": "sigmoid", "Tanh": "tanh", "HardSwish": "hardswish", "Softplus": "softplus",
            "Exp": "exp", "Log": "log", "Sqrt": "sqrt", "Abs": "abs", "Neg": "neg", "Reciprocal": "reciprocal",
            "Erf": "erf", "Sign": "sign", "Floor": "floor", "Ceil": "ceil", "Round": "round", "Sin": "sin",
            "Cos": "cos", "Tan": "tan", "Asin": "asin", "Acos": "acos", "Atan": "atan", "Sinh": "sinh", "Cosh": "cosh",
            "Asinh": "asinh", "Acosh": "acosh", "Atanh": "atanh",
        }.items()
    },
    "Clip": _clip,
    "Elu": _numbered("elu", "alpha", "alpha", 1.0),
    "Gelu": _gelu,
    "HardSigmoid": _hard_sigmoid,
    "LeakyRelu": _numbered("leaky_relu", "slope", "alpha", 0.01),
    "LogSoftmax": _softmax("log_softmax"),
    "Softmax": _softmax("softmax"),
}  # fmt: skip
