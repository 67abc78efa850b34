"""Elementwise arithmetic, comparison and choice. Operands broadcast the numpy way."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import erf, erfc, log, pi, sqrt
from typing import Any

import numpy as np

from ..build import scalar, scale, unbroadcast
from ..graph import ITEM_BYTES, Node, Spec, Value
from ..op import Arrays, Attrs, Cost, Op, apply, register
from ..rules import arity, attr, broadcast, float_dtype, number, require

Derivative = Callable[[Value, Value, Value, Attrs], Value | None]
Partials = tuple[Callable[[Value, Value, Value, Value], Value], Callable[[Value, Value, Value, Value], Value]]


def per_element(ins: Sequence[Spec], outs: Sequence[Spec], attrs: Attrs) -> Cost:
    """One operation for each result element."""
    return Cost(ops=outs[0].size)


def elementwise_unary(
    name: str,
    meaning: Callable[..., np.ndarray],
    derivative: Derivative | None,
    numbers: tuple[str, ...] = (),
) -> None:
    """A row ``y = meaning(x, *attributes)``; ``derivative(dy, x, y, attrs)`` is x's gradient."""

    def infer(specs: Sequence[Spec], attrs: Attrs) -> tuple[Spec, ...]:
        arity(name, specs, 1)
        for field in numbers:
            number(name, attrs, field)
        return (Spec(specs[0].shape, float_dtype(name, specs)),)

    def evaluate(arrays: Arrays, attrs: Attrs) -> tuple[np.ndarray, ...]:
        return (meaning(arrays[0], *(attrs[field] for field in numbers)),)

    def gradient(node: Node, grads: Sequence[Value | None], needed: Sequence[bool]) -> Sequence[Value | None]:
        dy = grads[0]
        return [dy and derivative and derivative(dy, node.inputs[0], Value(node), node.attrs)]

    register(
        Op(
            name,
            infer,
            evaluate,
            gradient if derivative else None,
            per_element,
            elementwise=True,
            numbers=numbers,
            unary=True,
        )
    )


def elementwise_binary(name: str, meaning: Callable[..., np.ndarray], partials: Partials | None) -> None:
    """A row ``y = meaning(a, b)``; ``partials[i](dy, a, b, y)`` is input i's gradient before un-broadcasting.

    Without ``partials`` the row is a comparison: its result is bool and has no gradient.
    """

    def infer(specs: Sequence[Spec], attrs: Attrs) -> tuple[Spec, ...]:
        arity(name, specs, 2)
        if partials:
            return (Spec(broadcast(name, specs), float_dtype(name, specs)),)
        dtypes = [s.dtype for s in specs]
        require(dtypes == ["int32"] * 2 or bool(float_dtype(name, specs)), name, "dtypes", dtypes, "must be the same")
        return (Spec(broadcast(name, specs), "bool"),)

    def evaluate(arrays: Arrays, attrs: Attrs) -> tuple[np.ndarray, ...]:
        return (np.asarray(meaning(*arrays)),)

    def gradient(node: Node, grads: Sequence[Value | None], needed: Sequence[bool]) -> Sequence[Value | None]:
        dy, (a, b) = grads[0], node.inputs
        if dy is None or partials is None:
            return [None, None]
        return [
            unbroadcast(partial(dy, a, b, Value(node)), x.shape) if wanted else None
            for partial, x, wanted in zip(partials, (a, b), needed, strict=True)
        ]

    register(Op(name, infer, evaluate, gradient if partials else None, per_element, elementwise=True))


def erf_array(x: np.ndarray) -> np.ndarray:
    """The error function, element by element in float64, in the dtype of ``x``."""
    return np.fromiter(map(erf, x.ravel().tolist()), np.float64, x.size).reshape(x.shape).astype(x.dtype)


def _erfc(x: np.ndarray) -> np.ndarray:
    return np.fromiter(map(erfc, x.ravel().tolist()), np.float64, x.size).reshape(x.shape).astype(x.dtype)


def _less_square(x: Value) -> Value:
    """1 - x^2."""
    return apply("sub", scalar(1, x), apply("square", x))


def _more_square(x: Value) -> Value:
    """1 + x^2."""
    return apply("add", apply("square", x), scalar(1, x))


def _flat(dy: Value, x: Value, y: Value, at: Attrs) -> Value:
    """Of steps: nothing."""
    return scale(dy, 0.0)


def mul(a: Value, b: Value) -> Value:
    return apply("mul", a, b)


def _power_derivative(dy: Value, x: Value, y: Value, attrs: Attrs) -> Value:
    exponent = attrs["exponent"]
    if exponent == 0:
        return scale(dy, 0.0)
    return mul(dy, scale(apply("power", x, exponent=exponent - 1), exponent))


_UNARY: tuple[tuple[Any, ...], ...] = (
    ("neg", np.negative, lambda dy, x, y, at: apply("neg", dy)),
    ("exp", np.exp, lambda dy, x, y, at: mul(dy, y)),
    ("log", np.log, lambda dy, x, y, at: apply("div", dy, x)),
    ("log1p", np.log1p, lambda dy, x, y, at: apply("div", dy, apply("add", x, scalar(1, x)))),
    ("sin", np.sin, lambda dy, x, y, at: mul(dy, apply("cos", x))),
    ("cos", np.cos, lambda dy, x, y, at: apply("neg", mul(dy, apply("sin", x)))),
    ("sqrt", np.sqrt, lambda dy, x, y, at: apply("div", dy, scale(y, 2))),
    ("rsqrt", lambda x: 1 / np.sqrt(x), lambda dy, x, y, at: scale(mul(dy, mul(y, apply("square", y))), -0.5)),
    ("reciprocal", lambda x: 1 / x, lambda dy, x, y, at: apply("neg", mul(dy, apply("square", y)))),
    ("abs", np.abs, lambda dy, x, y, at: mul(dy, apply("sign", x))),
    ("sign", np.sign, lambda dy, x, y, at: scale(dy, 0.0)),
    ("square", np.square, lambda dy, x, y, at: mul(dy, scale(x, 2))),
    (
        "erf",
        erf_array,
        lambda dy, x, y, at: mul(dy, scale(apply("exp", apply("neg", apply("square", x))), 2 / sqrt(pi))),
    ),
    ("erfc", _erfc, lambda dy, x, y, at: mul(dy, scale(apply("exp", apply("neg", apply("square", x))), -2 / sqrt(pi)))),
    ("power", np.power, _power_derivative, ("exponent",)),
    ("expm1", np.expm1, lambda dy, x, y, at: mul(dy, apply("exp", x))),
    ("log2", np.log2, lambda dy, x, y, at: scale(apply("div", dy, x), 1 / log(2))),
    ("log10", np.log10, lambda dy, x, y, at: scale(apply("div", dy, x), 1 / log(10))),
    ("tan", np.tan, lambda dy, x, y, at: mul(dy, _more_square(y))),
    ("asin", np.arcsin, lambda dy, x, y, at: mul(dy, apply("rsqrt", _less_square(x)))),
    ("acos", np.arccos, lambda dy, x, y, at: apply("neg", mul(dy, apply("rsqrt", _less_square(x))))),
    ("atan", np.arctan, lambda dy, x, y, at: apply("div", dy, _more_square(x))),
    ("sinh", np.sinh, lambda dy, x, y, at: mul(dy, apply("cosh", x))),
    ("cosh", np.cosh, lambda dy, x, y, at: mul(dy, apply("sinh", x))),
    ("asinh", np.arcsinh, lambda dy, x, y, at: mul(dy, apply("rsqrt", _more_square(x)))),
    (
        "acosh",
        np.arccosh,
        lambda dy, x, y, at: mul(dy, apply("rsqrt", apply("sub", apply("square", x), scalar(1, x)))),
    ),
    ("atanh", np.arctanh, lambda dy, x, y, at: apply("div", dy, _less_square(x))),
    ("floor", np.floor, _flat),
    ("ceil", np.ceil, _flat),
    ("trunc", np.trunc, _flat),
    ("round", np.rint, _flat),
    ("detach", lambda x: x, lambda dy, x, y, at: None),
)


def _chosen(dy: Value, a: Value, b: Value) -> Value:
    """``dy`` where a > b, half of it where they are equal, else nothing (PyTorch's rule for ties)."""
    half = apply("where", apply("equal", a, b), scale(dy, 0.5), dy)
    return apply("where", apply("less", a, b), scalar(0, dy), half)


_BINARY: tuple[tuple[str, Callable[..., np.ndarray], Partials | None], ...] = (
    ("add", np.add, (lambda dy, a, b, y: dy, lambda dy, a, b, y: dy)),
    ("sub", np.subtract, (lambda dy, a, b, y: dy, lambda dy, a, b, y: apply("neg", dy))),
    ("mul", np.multiply, (lambda dy, a, b, y: mul(dy, b), lambda dy, a, b, y: mul(dy, a))),
    (
        "div",
        np.divide,
        (
            lambda dy, a, b, y: apply("div", dy, b),
            lambda dy, a, b, y: apply("neg", mul(dy, apply("div", y, b))),
        ),
    ),
    ("maximum", np.maximum, (lambda dy, a, b, y: _chosen(dy, a, b), lambda dy, a, b, y: _chosen(dy, b, a))),
    ("minimum", np.minimum, (lambda dy, a, b, y: _chosen(dy, b, a), lambda dy, a, b, y: _chosen(dy, a, b))),
    ("less", np.less, None),
    ("less_equal", np.less_equal, None),
    ("greater", np.greater, None),
    ("greater_equal", np.greater_equal, None),
    ("equal", np.equal, None),
    ("not_equal", np.not_equal, None),
)

for _row in _UNARY:
    elementwise_unary(*_row)
for _name, _meaning, _partials in _BINARY:
    elementwise_binary(_name, _meaning, _partials)


# zero(x): what an accumulator is after its gradient was used


def _zero_infer(specs: Sequence[Spec], attrs: Attrs) -> tuple[Spec, ...]:
    arity("zero", specs, 1)
    return (Spec(specs[0].shape, float_dtype("zero", specs)),)


register(
    Op("zero", _zero_infer, lambda arrays, attrs: (np.zeros_like(arrays[0]),), None, per_element, elementwise=True)
)


# where(condition, a, b)


def _where_infer(specs: Sequence[Spec], attrs: Attrs) -> tuple[Spec, ...]:
    arity("where", specs, 3)
    require(specs[0].dtype == "bool", "where", "condition dtype", specs[0].dtype, "must be bool")
    logic = all(s.dtype == "bool" for s in specs)
    return (Spec(broadcast("where", specs), "bool" if logic else float_dtype("where", specs[1:])),)


def _where_gradient(node: Node, grads: Sequence[Value | None], needed: Sequence[bool]) -> Sequence[Value | None]:
    dy, (condition, a, b) = grads[0], node.inputs
    if dy is None:
        return [None, None, None]
    nothing = scalar(0, dy)
    return [
        None,
        unbroadcast(apply("where", condition, dy, nothing), a.shape) if needed[1] else None,
        unbroadcast(apply("where", condition, nothing, dy), b.shape) if needed[2] else None,
    ]


register(
    Op(
        "where",
        _where_infer,
        lambda arrays, attrs: (np.where(*arrays),),
        _where_gradient,
        per_element,
        elementwise=True,
    )
)


# convert{dtype}


def _convert_infer(specs: Sequence[Spec], attrs: Attrs) -> tuple[Spec, ...]:
    arity("convert", specs, 1)
    dtype = attr("convert", attrs, "dtype")
    floats = [d for d in ITEM_BYTES if d.startswith("float")]
    require(dtype in floats, "convert", "dtype", dtype, f"must be one of {', '.join(floats)}")
    require(not specs[0].is_float, "convert", "input dtype", specs[0].dtype, "must be an integer or bool")
    return (Spec(specs[0].shape, dtype),)


register(
    Op(
        "convert",
        _convert_infer,
        lambda arrays, attrs: (arrays[0].astype(attrs["dtype"]),),
        None,
        per_element,
        elementwise=True,
    )
)
