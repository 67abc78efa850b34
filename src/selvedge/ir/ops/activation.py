"""Activations and their gradients. Boundaries are those of PyTorch's backward; NaN passes through."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import pi, sqrt

import numpy as np

from ..graph import Node, Spec, Value
from ..op import Arrays, Attrs, Op, apply, register
from ..rules import arity, attr, float_dtype, number, require
from .elementwise import erf_array, per_element


def _sigmoid(x: np.ndarray) -> np.ndarray:
    return np.asarray(1 / (1 + np.exp(-x)))


def _ramp(x: np.ndarray) -> np.ndarray:
    """relu6(x + 3), Howard et al., "Searching for MobileNetV3" (2019), section 5.2."""
    return np.asarray(np.clip(x + 3, 0, 6))


def _gelu(x: np.ndarray, approximate: str) -> np.ndarray:
    """Hendrycks and Gimpel, "Gaussian Error Linear Units" (2016), section 2."""
    inner = np.tanh(sqrt(2 / pi) * (x + 0.044715 * x**3)) if approximate == "tanh" else erf_array(x * sqrt(0.5))
    return np.asarray(0.5 * x * (1 + inner))


def _gelu_grad(dy: np.ndarray, x: np.ndarray, approximate: str) -> np.ndarray:
    if approximate == "tanh":
        t = np.tanh(sqrt(2 / pi) * (x + 0.044715 * x**3))
        slope = 0.5 * (1 + t) + 0.5 * x * (1 - t * t) * sqrt(2 / pi) * (1 + 3 * 0.044715 * x * x)
    else:
        slope = 0.5 * (1 + erf_array(x * sqrt(0.5))) + x * np.exp(-0.5 * x * x) / sqrt(2 * pi)
    return np.asarray(dy * slope)


def _silu_grad(dy: np.ndarray, x: np.ndarray) -> np.ndarray:
    s = _sigmoid(x)
    return np.asarray(dy * s * (1 + x * (1 - s)))


def _softplus(x: np.ndarray) -> np.ndarray:
    """log(1 + e^x); x itself above 20, as PyTorch."""
    return np.where(x > 20, x, np.log1p(np.exp(np.minimum(x, 20))))


def _grad_row(name: str, meaning: Callable[..., np.ndarray], fields: tuple[str, ...]) -> None:
    """The row ``name + "_grad"``: dx = meaning(dy, saved, *attributes)."""
    op = f"{name}_grad"

    def infer(specs: Sequence[Spec], attrs: Attrs) -> tuple[Spec, ...]:
        arity(op, specs, 2)
        shapes = [s.shape for s in specs]
        require(shapes[0] == shapes[1], op, "shapes", shapes, "must be equal")
        _check(op, attrs, fields)
        return (Spec(shapes[0], float_dtype(op, specs)),)

    def evaluate(arrays: Arrays, attrs: Attrs) -> tuple[np.ndarray, ...]:
        return (meaning(*arrays, *(attrs[field] for field in fields)),)

    register(Op(op, infer, evaluate, None, per_element, elementwise=True, numbers=fields))


def _check(op: str, attrs: Attrs, fields: tuple[str, ...]) -> None:
    for field in fields:
        if field == "approximate":
            value = attr(op, attrs, field)
            require(value in ("none", "tanh"), op, field, value, 'must be "none" or "tanh"')
        else:
            number(op, attrs, field)


def _activation(
    name: str,
    meaning: Callable[..., np.ndarray],
    grad: Callable[..., np.ndarray],
    saved: str,
    fields: tuple[str, ...] = (),
) -> None:
    """The rows ``name`` and ``name_grad``; the gradient reads the input ("x") or the result ("y")."""

    def infer(specs: Sequence[Spec], attrs: Attrs) -> tuple[Spec, ...]:
        arity(name, specs, 1)
        _check(name, attrs, fields)
        return (Spec(specs[0].shape, float_dtype(name, specs)),)

    def evaluate(arrays: Arrays, attrs: Attrs) -> tuple[np.ndarray, ...]:
        return (meaning(arrays[0], *(attrs[field] for field in fields)),)

    def gradient(node: Node, grads: Sequence[Value | None], needed: Sequence[bool]) -> Sequence[Value | None]:
        if grads[0] is None:
            return [None]
        kept = Value(node) if saved == "y" else node.inputs[0]
        return [apply(f"{name}_grad", grads[0], kept, **node.attrs)]

    register(Op(name, infer, evaluate, gradient, per_element, elementwise=True, numbers=fields, unary=True))
    _grad_row(name, grad, fields)


_activation("relu", lambda x: np.maximum(x, 0), lambda dy, y: np.where(y <= 0, 0, dy), "y")
_activation(
    "hardtanh",
    np.clip,
    lambda dy, y, low, high: np.where((y <= low) | (y >= high), 0, dy),
    "y",
    ("min", "max"),
)
_activation(
    "clamp",
    np.clip,
    lambda dy, x, low, high: np.where((x >= low) & (x <= high), dy, 0),
    "x",
    ("min", "max"),
)
_activation(
    "hardswish",
    lambda x: x * _ramp(x) / 6,
    lambda dy, x: np.where(x <= -3, 0, np.where(x < 3, dy * (x / 3 + 0.5), dy)),
    "x",
)
_activation("hardsigmoid", lambda x: _ramp(x) / 6, lambda dy, x: np.where((x > -3) & (x < 3), dy / 6, 0), "x")
_activation("sigmoid", _sigmoid, lambda dy, y: dy * y * (1 - y), "y")
_activation("tanh", np.tanh, lambda dy, y: dy * (1 - y * y), "y")
_activation("silu", lambda x: x * _sigmoid(x), _silu_grad, "x")
_activation("gelu", _gelu, _gelu_grad, "x", ("approximate",))
_activation(
    "leaky_relu",
    lambda x, slope: np.where(x > 0, x, x * slope),
    lambda dy, x, slope: np.where(x > 0, dy, dy * slope),
    "x",
    ("slope",),
)
_activation(
    "elu",
    lambda x, alpha: np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0))),
    lambda dy, x, alpha: np.where(x <= 0, dy * alpha * np.exp(np.minimum(x, 0)), dy),
    "x",
    ("alpha",),
)
_activation("softplus", _softplus, lambda dy, x: np.where(x > 20, dy, dy * _sigmoid(x)), "x")
