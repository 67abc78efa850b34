"""Comparisons, choices and conversions, and activations that are formulas of rows."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from selvedge.ir import Value, apply, constant

from .read_elementwise import same_rank
from .reading import Node, settled

FLOAT = 1  # onnx.TensorProto.FLOAT
WHOLE = (6, 7)  # INT32, INT64
BOOL = 9


def real(node: Node, value: Value, what: str = "input") -> Value:
    """``value``, which must be real numbers. Raises ``NotSupported``."""
    if not value.spec.is_float:
        node.unsupported(f"{node.operator.said} of {value.dtype}", f"give it a float32 {what}")
    return value


def times(value: Value, factor: float) -> Value:
    return value if factor == 1 else settled(apply("mul", value, constant(factor, value.dtype)))


def plus(value: Value, number: float) -> Value:
    return settled(apply("add", value, constant(number, value.dtype)))


def _compared(row: str) -> Callable[[Node], None]:
    def rule(node: Node) -> None:
        node.count(2)
        (a, b), last = same_rank(node, 2)
        if a.dtype != b.dtype or not (a.spec.is_float or a.dtype == "int32"):
            node.unsupported(f"{node.operator.said} of {a.dtype} and {b.dtype}", "compare float32 or int32")
        node.put(apply(row, a, b, where=node.where), last)

    return rule


def _logical(made: Callable[[Value, Value], Value]) -> Callable[[Node], None]:
    def rule(node: Node) -> None:
        node.count(2)
        (a, b), last = same_rank(node, 2)
        node.require(a.dtype == b.dtype == "bool", "dtypes", (a.dtype, b.dtype), "bool")
        node.put(made(a, b), last)

    return rule


def _not(value: Value) -> Value:
    return settled(apply("where", value, constant(np.array(False)), constant(np.array(True))))


def _negated(node: Node) -> None:
    node.count(1)
    last = node.last(0)
    x = node.value(0, last)
    node.require(x.dtype == "bool", "dtype", x.dtype, "bool")
    node.put(_not(x), last)


def _where(node: Node) -> None:
    node.count(3)
    (condition, a, b), last = same_rank(node, 3)
    if not (a.spec.is_float or a.dtype == b.dtype == "bool"):
        node.unsupported(f"Where of {a.dtype}", "choose between float32 or bool")
    node.put(apply("where", condition, a, b, where=node.where), last)


def _many(row: str, *, mean: bool = False) -> Callable[[Node], None]:
    def rule(node: Node) -> None:
        count = len(node.operator.inputs)
        node.count(1, 1 << 10)
        values, last = same_rank(node, count)
        made = real(node, values[0])
        for value in values[1:]:
            made = apply(row, made, real(node, value), where=node.where)
        node.put(times(made, 1 / count) if mean else made, last)

    return rule


def _pow(node: Node) -> None:
    node.count(2)
    exponent = node.array(1)
    if exponent.size != 1:
        node.unsupported("Pow by several exponents", "raise to one constant power")
    last = node.last(0)
    x = real(node, node.value(0, last))
    number = float(exponent.reshape(()))
    if node.tensors.shape(node.name(1)) and len(node.shape(1)) > len(node.shape(0)):
        node.unsupported("Pow that adds axes", "give the exponent as one number")
    made = apply("square", x, where=node.where) if number == 2 else apply("power", x, exponent=number, where=node.where)
    node.put(made, last)


def formula(written: Callable[[Node, Value], Value]) -> Callable[[Node], None]:
    """The rule of an operator of one operand, element by element."""

    def rule(node: Node) -> None:
        node.count(1)
        last = node.last(0)
        node.put(written(node, real(node, node.value(0, last))), last)

    return rule


def _selu(node: Node, x: Value) -> Value:
    alpha, gamma = node.number("alpha", 1.67326319217681884765625), node.number("gamma", 1.05070102214813232421875)
    return times(apply("elu", x, alpha=alpha, where=node.where), gamma)


def _celu(node: Node, x: Value) -> Value:
    alpha = node.number("alpha", 1.0)
    below = times(apply("expm1", times(x, 1 / alpha), where=node.where), alpha)
    return apply("add", apply("relu", x), apply("minimum", below, constant(0, x.dtype)), where=node.where)


def _thresholded(node: Node, x: Value) -> Value:
    above = apply("greater", x, constant(node.number("alpha", 1.0), x.dtype))
    return apply("where", above, x, constant(0, x.dtype), where=node.where)


def _shrink(node: Node, x: Value) -> Value:
    bias, edge = node.number("bias", 0.0), node.number("lambd", 0.5)
    low, high = (apply(row, x, constant(end, x.dtype)) for row, end in (("less", -edge), ("greater", edge)))
    inner = apply("where", high, plus(x, -bias), constant(0, x.dtype), where=node.where)
    return apply("where", low, plus(x, bias), inner, where=node.where)


def _softsign(node: Node, x: Value) -> Value:
    return apply("div", x, plus(apply("abs", x), 1.0), where=node.where)


def _mish(node: Node, x: Value) -> Value:
    return apply("mul", x, apply("tanh", apply("softplus", x)), where=node.where)


def _swish(node: Node, x: Value) -> Value:
    alpha = node.number("alpha", 1.0)
    if alpha == 1:
        return apply("silu", x, where=node.where)
    return apply("mul", x, apply("sigmoid", times(x, alpha)), where=node.where)


def _is_inf(node: Node, x: Value) -> Value:
    ends = [node.integer("detect_negative", 1), node.integer("detect_positive", 1)]
    if not all(ends):
        infinity = -math.inf if ends[0] else math.inf
        if not any(ends):
            node.unsupported("IsInf of neither end", "leave it out")
        return apply("equal", x, constant(infinity, x.dtype), where=node.where)
    return apply("equal", apply("abs", x), constant(math.inf, x.dtype), where=node.where)


def _is_nan(node: Node, x: Value) -> Value:
    return apply("not_equal", x, x, where=node.where)


def _p_relu(node: Node) -> None:
    node.count(2)
    (x, slope), last = same_rank(node, 2)
    node.require(len(node.shape(1)) <= len(node.shape(0)), "slope", node.shape(1), "it broadcasts to the input")
    above = apply("greater", real(node, x), constant(0, x.dtype))
    node.put(apply("where", above, x, apply("mul", x, slope), where=node.where), last)


def _cast_like(node: Node) -> None:
    node.count(2)
    kinds = {"float32": FLOAT, "int32": WHOLE[0], "bool": BOOL}
    dtype = node.value(1, node.last(1)).dtype
    if dtype not in kinds:
        node.unsupported(f"CastLike to {dtype}", "cast to float32, int32 or bool")
    converted(node, kinds[dtype])


def converted(node: Node, to: int) -> None:
    """Input 0 as the ONNX type ``to``."""
    last = node.last(0)
    x = node.value(0, last)
    if (x.dtype, to) in (("float32", FLOAT), ("bool", BOOL)) or (x.dtype == "int32" and to in WHOLE):
        node.put(x, last)
    elif to == FLOAT and x.dtype in ("int32", "bool"):
        node.put(apply("convert", x, dtype="float32", where=node.where), last)
    elif to == BOOL and (x.spec.is_float or x.dtype == "int32"):
        node.put(apply("not_equal", x, constant(0, x.dtype), where=node.where), last)
    else:
        node.unsupported(f"Cast of {x.dtype} to {to}", "cast int32 or bool to float32, anything to bool, or to itself")


LOGIC: dict[str, Callable[[Node], None]] = {
    "And": _logical(lambda a, b: apply("where", a, b, constant(np.array(False)))),
    "CastLike": _cast_like,
    "Celu": formula(_celu),
    "Equal": _compared("equal"),
    "Greater": _compared("greater"),
    "GreaterOrEqual": _compared("greater_equal"),
    "IsInf": formula(_is_inf),
    "IsNaN": formula(_is_nan),
    "Less": _compared("less"),
    "LessOrEqual": _compared("less_equal"),
    "Max": _many("maximum"),
    "Mean": _many("add", mean=True),
    "Min": _many("minimum"),
    "Mish": formula(_mish),
    "Not": _negated,
    "Or": _logical(lambda a, b: apply("where", a, constant(np.array(True)), b)),
    "PRelu": _p_relu,
    "Pow": _pow,
    "Selu": formula(_selu),
    "Shrink": formula(_shrink),
    "Softsign": formula(_softsign),
    "Sum": _many("add"),
    "Swish": formula(_swish),
    "ThresholdedRelu": formula(_thresholded),
    "Where": _where,
    "Xor": _logical(lambda a, b: apply("where", a, _not(b), b)),
}
