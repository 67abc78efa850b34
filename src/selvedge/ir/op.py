"""The op table: one row an operator, found by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .graph import Node, Spec, Value

Attrs = Mapping[str, Any]
Arrays = Sequence[np.ndarray]


@dataclass(frozen=True, slots=True)
class Cost:
    """``macs``: multiply-accumulates. ``ops``: other arithmetic. Bytes follow from the specs."""

    macs: int = 0
    ops: int = 0


@dataclass(frozen=True, slots=True)
class Op:
    """One row.

    infer(specs, attrs) -> result specs, or ``ValueError`` with the field, the value and what is allowed.
    evaluate(arrays, attrs) -> result arrays: the numpy meaning, the slow reference.
    gradient(node, grads, needed) -> a value (or None) per input, in terms of other ops. ``grads`` has one entry
        per result (None where nothing flows back); ``needed`` says for which inputs a gradient is asked.
        None for an op that has no gradient.
    cost(input specs, result specs, attrs) -> Cost.
    elementwise: result element i depends on the input elements that broadcast to i, and on no others.
    numbers: attributes of an elementwise row that are numbers, in the order of its meaning's arguments. In C such a
        row is ``sv_NAME(inputs..., numbers...)`` of native/elementwise.h unless the C target spells it otherwise.
    unary: elementwise, of one float input. Without numbers it is what ATen calls by the same name.
    """

    name: str
    infer: Callable[[Sequence[Spec], Attrs], tuple[Spec, ...]]
    evaluate: Callable[[Arrays, Attrs], tuple[np.ndarray, ...]]
    gradient: Callable[[Node, Sequence[Value | None], Sequence[bool]], Sequence[Value | None]] | None
    cost: Callable[[Sequence[Spec], Sequence[Spec], Attrs], Cost]
    elementwise: bool = False
    numbers: tuple[str, ...] = ()
    unary: bool = False


TABLE: dict[str, Op] = {}


def register(op: Op) -> Op:
    """Add a row; a name is taken once."""
    if op.name in TABLE:
        raise ValueError(f"op {op.name!r} is already in the table")
    TABLE[op.name] = op
    return op


def apply(name: str, *inputs: Value, where: str = "", **attrs: Any) -> Value:
    """A new node of op ``name``; returns its first result."""
    return results(name, *inputs, where=where, **attrs)[0]


def results(name: str, *inputs: Value, where: str = "", **attrs: Any) -> tuple[Value, ...]:
    """A new node of op ``name``; returns all its results."""
    specs = TABLE[name].infer([v.spec for v in inputs], attrs)
    node = Node(name, tuple(inputs), specs, attrs, where)
    return tuple(Value(node, i) for i in range(len(specs)))
