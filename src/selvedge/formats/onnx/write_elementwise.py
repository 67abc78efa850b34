"""Float rows element by element, gradients among them, as ONNX operators or formulas of them."""

from __future__ import annotations

from collections.abc import Callable
from math import log, pi, sqrt
from typing import Any

import numpy as np

from selvedge.ir import Node, Value

from .formula import Formula, elementwise
from .sheet import Sheet


def _one(op: str) -> Callable[[Sheet, Node], None]:
    return elementwise(lambda f, *given: f(op, *given))


def _named(op: str, **names: str) -> Callable[[Sheet, Node], None]:
    """``names``: ONNX's attribute -> the row's."""

    def rule(sheet: Sheet, node: Node) -> None:
        attrs = {name: float(node.attrs[field]) for name, field in names.items()}
        elementwise(lambda f, x: f(op, x, **attrs))(sheet, node)

    return rule


def _clip(f: Formula, x: str, low: float, high: float) -> str:
    return f("Clip", x, low, high)


def _log1p(f: Formula, x: str) -> str:
    """x log(u) / (u - 1) of u = 1 + x, whose errors cancel; x where u is 1. HP-15C Advanced Functions (1982)."""
    u = f("Add", x, 1.0)
    less = f("Sub", u, 1.0)
    exact = f("Or", f("Equal", less, 0.0), f("IsInf", u))
    share = f("Div", f("Mul", f("Log", u), x), f.where(exact, 1.0, less))
    return f.where(f("Equal", less, 0.0), x, f.where(f("IsInf", u), u, share))


def _expm1(f: Formula, x: str) -> str:
    """2 t / (1 - t) of t = tanh(x / 2) near zero, e^x - 1 beyond."""
    near = f("LessOrEqual", f("Abs", x), 1.0)
    t = f("Tanh", f("Mul", f.where(near, x, 0.0), 0.5))
    return f.where(near, f("Div", f("Mul", t, 2.0), f("Sub", 1.0, t)), f("Sub", f("Exp", x), 1.0))


def _square(f: Formula, x: str) -> str:
    return f("Mul", x, x)


def _silu_grad(f: Formula, dy: str, x: str) -> str:
    s = f("Sigmoid", x)
    return f("Mul", f("Mul", dy, s), f("Add", f("Mul", x, f("Sub", 1.0, s)), 1.0))


def _bell(f: Formula, x: str, approximate: str) -> tuple[str, str]:
    """What GELU takes one more than, and the inner derivative of that times x."""
    if approximate == "none":
        return f("Erf", f("Mul", x, sqrt(0.5))), f(
            "Mul", f("Mul", f("Exp", f("Mul", f("Mul", x, x), -0.5)), x), 2 / sqrt(2 * pi)
        )
    square = f("Mul", x, x)
    cubic = f("Mul", f("Add", f("Mul", square, 0.044715), 1.0), x)
    t = f("Tanh", f("Mul", cubic, sqrt(2 / pi)))
    inner = f("Mul", f("Add", f("Mul", square, 3 * 0.044715), 1.0), sqrt(2 / pi))
    return t, f("Mul", f("Mul", f("Sub", 1.0, f("Mul", t, t)), inner), x)


def _gelu(f: Formula, x: str, approximate: str) -> str:
    return f("Mul", f("Mul", x, 0.5), f("Add", _bell(f, x, approximate)[0], 1.0))


def _gelu_grad(f: Formula, dy: str, x: str, approximate: str) -> str:
    bell, slope = _bell(f, x, approximate)
    return f("Mul", dy, f("Mul", f("Add", f("Add", bell, 1.0), slope), 0.5))


def _elu_grad(f: Formula, dy: str, x: str, alpha: float) -> str:
    below = f("Mul", f("Mul", dy, alpha), f("Exp", f("Min", x, 0.0)))
    return f.where(f("LessOrEqual", x, 0.0), below, dy)


def _hardswish_grad(f: Formula, dy: str, x: str) -> str:
    inner = f.where(f("Less", x, 3.0), f("Mul", dy, f("Add", f("Div", x, 3.0), 0.5)), dy)
    return f.where(f("LessOrEqual", x, -3.0), 0.0, inner)


def _bce(f: Formula, x: str, y: str) -> str:
    return f("Add", f("Sub", f("Relu", x), f("Mul", x, y)), f("Softplus", f("Neg", f("Abs", x))))


def _where(sheet: Sheet, node: Node) -> None:
    if node.specs[0].dtype != "bool":
        _one("Where")(sheet, node)
        return
    elementwise(lambda f, c, a, b: f("Or", f("And", c, a), f("And", f("Not", c), b)))(sheet, node)


def _convert(sheet: Sheet, node: Node) -> None:
    elementwise(lambda f, x: f.cast(x, node.attrs["dtype"]))(sheet, node)


def _zero(sheet: Sheet, node: Node) -> None:
    spec, f = node.specs[0], Formula(sheet, node.specs[0].dtype)
    shape = sheet.constant(np.array(spec.shape, np.int64), "shape")
    sheet.put(Value(node), f("Expand", 0.0, shape))


def _same(sheet: Sheet, node: Node) -> None:
    way = sheet.way(node.inputs)
    sheet.put(Value(node), sheet.tensor(node.inputs[0], way), way)


ELEMENTWISE: dict[str, Callable[[Sheet, Node], Any]] = {
    **{
        row: _one(op)
        for row, op in {
            "abs": "Abs", "acos": "Acos", "acosh": "Acosh", "add": "Add", "asin": "Asin", "asinh": "Asinh",
            "atan": "Atan", "atanh": "Atanh", "ceil": "Ceil", "cos": "Cos", "cosh": "Cosh", "div": "Div",
            "equal": "Equal", "erf": "Erf", "exp": "Exp", "floor": "Floor", "greater": "Greater",
            "greater_equal": "GreaterOrEqual", "hardswish": "HardSwish", "less": "Less",
            "less_equal": "LessOrEqual", "log": "Log", "maximum": "Max", "minimum": "Min", "mul": "Mul", "neg": "Neg",
            "reciprocal": "Reciprocal", "relu": "Relu", "round": "Round", "sigmoid": "Sigmoid", "sign": "Sign",
            "sin": "Sin", "sinh": "Sinh", "softplus": "Softplus", "sqrt": "Sqrt", "sub": "Sub", "tan": "Tan",
            "tanh": "Tanh",
        }.items()
    },
    "bce_logits": elementwise(_bce),
    "clamp": elementwise(_clip, "min", "max"),
    "clamp_grad": elementwise(
        lambda f, dy, x, low, high: f.where(f("And", f("GreaterOrEqual", x, low), f("LessOrEqual", x, high)), dy, 0.0),
        "min", "max",
    ),
    "convert": _convert,
    "detach": _same,
    "elu": _named("Elu", alpha="alpha"),
    "elu_grad": elementwise(_elu_grad, "alpha"),
    "expm1": elementwise(_expm1),
    "gelu": elementwise(_gelu, "approximate"),
    "gelu_grad": elementwise(_gelu_grad, "approximate"),
    "hardsigmoid": elementwise(lambda f, x: f("HardSigmoid", x, alpha=1 / 6, beta=0.5)),
    "hardsigmoid_grad": elementwise(
        lambda f, dy, x: f.where(f("And", f("Greater", x, -3.0), f("Less", x, 3.0)), f("Div", dy, 6.0), 0.0)
    ),
    "hardswish_grad": elementwise(_hardswish_grad),
    "hardtanh": elementwise(_clip, "min", "max"),
    "hardtanh_grad": elementwise(
        lambda f, dy, y, low, high: f.where(f("Or", f("LessOrEqual", y, low), f("GreaterOrEqual", y, high)), 0.0, dy),
        "min", "max",
    ),
    "leaky_relu": _named("LeakyRelu", alpha="slope"),
    "leaky_relu_grad": elementwise(
        lambda f, dy, x, slope: f.where(f("Greater", x, 0.0), dy, f("Mul", dy, slope)), "slope"
    ),
    "log10": elementwise(lambda f, x: f("Div", f("Log", x), log(10))),
    "log1p": elementwise(_log1p),
    "log2": elementwise(lambda f, x: f("Div", f("Log", x), log(2))),
    "not_equal": elementwise(lambda f, a, b: f("Not", f("Equal", a, b))),
    "power": elementwise(lambda f, x, exponent: f("Pow", x, float(exponent)), "exponent"),
    "relu_grad": elementwise(lambda f, dy, y: f.where(f("LessOrEqual", y, 0.0), 0.0, dy)),
    "rsqrt": elementwise(lambda f, x: f("Reciprocal", f("Sqrt", x))),
    "sigmoid_grad": elementwise(lambda f, dy, y: f("Mul", f("Mul", dy, y), f("Sub", 1.0, y))),
    "silu": elementwise(lambda f, x: f("Mul", x, f("Sigmoid", x))),
    "silu_grad": elementwise(_silu_grad),
    "softplus_grad": elementwise(
        lambda f, dy, x: f.where(f("Greater", x, 20.0), dy, f("Mul", dy, f("Sigmoid", x)))
    ),
    "square": elementwise(_square),
    "tanh_grad": elementwise(lambda f, dy, y: f("Mul", dy, f("Sub", 1.0, f("Mul", y, y)))),
    "trunc": elementwise(lambda f, x: f("Mul", f("Sign", x), f("Floor", f("Abs", x)))),
    "where": _where,
    "zero": _zero,
}  # fmt: skip
"""Row -> how it is written."""
