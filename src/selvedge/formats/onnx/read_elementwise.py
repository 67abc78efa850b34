"""Operators element by element, and softmax."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from selvedge.ir import apply, transpose

from .reading import Node, lifted


def _two(row: str) -> Callable[[Node], None]:
    def rule(node: Node) -> None:
        node.count(2)
        rank = max(len(node.shape(0)), len(node.shape(1)))
        last = rank == 4 and (node.last(0) or node.last(1))
        node.put(apply(row, *(lifted(node, i, rank, last) for i in (0, 1)), where=node.where), last)

    return rule


def _one(row: str, **fixed: Any) -> Callable[[Node], None]:
    def rule(node: Node) -> None:
        node.count(1)
        node.put(apply(row, node.value(0, node.last(0)), where=node.where, **fixed), node.last(0))

    return rule


def _numbered(row: str, field: str, name: str, default: float) -> Callable[[Node], None]:
    def rule(node: Node) -> None:
        _one(row, **{field: node.number(name, default)})(node)

    return rule


def _clip(node: Node) -> None:
    node.count(1, 3)
    ends = []
    for i, none in ((1, -math.inf), (2, math.inf)):
        found = none
        if node.name(i):
            array = node.array(i)
            node.require(array.size == 1, f"input {i}", list(array.shape), "one number")
            found = float(array.reshape(()))
        ends.append(found)
    node.require(ends[0] <= ends[1], "bounds", ends, "the least is not above the most")
    last = node.last(0)
    if ends == [0.0, math.inf]:
        made = apply("relu", node.value(0, last), where=node.where)
    else:
        made = apply("clamp", node.value(0, last), min=ends[0], max=ends[1], where=node.where)
    node.put(made, last)


def _hard_sigmoid(node: Node) -> None:
    node.count(1)
    slope, middle = node.number("alpha", 0.2), node.number("beta", 0.5)
    if not (math.isclose(slope, 1 / 6, rel_tol=1e-6) and middle == 0.5):
        node.unsupported(f"HardSigmoid of alpha {slope} and beta {middle}", "they must be 1/6 and 0.5")
    _one("hardsigmoid")(node)


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
            "Erf": "erf",
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
