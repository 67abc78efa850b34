"""What an expansion is, and the arithmetic that they are written in."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ..build import reduce, scalar
from ..graph import Node, Value
from ..op import apply

Rule = Callable[[Node, Sequence[Value]], Sequence[Value]]
"""(node, what its inputs are now) -> its results, in the order of its specs."""

Number = Value | float


def like(x: Number, other: Value) -> Value:
    """``x``, or the number as a constant of the other's type."""
    return x if isinstance(x, Value) else scalar(x, other)


def add(a: Value, b: Number) -> Value:
    return apply("add", a, like(b, a))


def sub(a: Number, b: Value) -> Value:
    return apply("sub", like(a, b), b)


def mul(a: Value, b: Number) -> Value:
    return apply("mul", a, like(b, a))


def where(condition: Value, a: Number, b: Number) -> Value:
    """One of a and b is a value."""
    given = a if isinstance(a, Value) else b
    assert isinstance(given, Value)
    return apply("where", condition, like(a, given), like(b, given))


def compare(op: str, a: Value, b: Number) -> Value:
    """``op``: less, less_equal, greater, greater_equal, equal or not_equal."""
    return apply(op, a, like(b, a))


def total(x: Value) -> Value:
    """The sum over the last axis, which stays."""
    return reduce("reduce_sum", x, (len(x.shape) - 1,), keepdims=True)
