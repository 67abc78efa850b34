"""Rules of the operators on real numbers (float32), as float rows."""

from __future__ import annotations

import math
from collections.abc import Callable

from selvedge.errors import NotSupported
from selvedge.ir import Value, apply, reduce, reshape, scale
from selvedge.ir.integer.requantise import ACTIVATIONS

from .dynamic import rounded
from .layers import CONV, DEPTHWISE, bias, geometry, rows
from .node import Node
from .pointwise import axes_of, windows


def _activated(node: Node, made: Value, activation: str) -> Value:
    least, most = ACTIVATIONS[activation]
    if least is None:
        return made
    if most is None:
        return apply("relu", made, where=node.where)
    return apply("clamp", made, min=least, max=most, where=node.where)


def _biased(node: Node, made: Value) -> Value:
    for shift in bias(node, made.shape[-1], "float32"):
        made = apply("add", made, shift, where=node.where)
    return _activated(node, made, node.activation())


def _convolution(perm: tuple[int, ...]) -> Callable[[Node], Value]:
    def rule(node: Node) -> Value:
        shaping = geometry(node, perm)
        weights = node.weight(node.input(1), "float32", perm, None)

        def computed(x: Value) -> Value:
            return apply("conv2d", x, weights, where=node.where, **shaping)

        step = node.weights.steps.get(node.place(1))
        x = node.value(0)
        return _biased(node, computed(x) if step is None else rounded(x, step, computed, node.where))

    return rule


def _linear(node: Node) -> Value:
    w, leading = node.input(1), rows(node)
    given = reshape(node.value(0), (math.prod(leading), w.shape[1]), node.where)
    matrix = node.weight(w, "float32", (0, 1), None)
    made = _biased(node, apply("matmul", given, matrix, trans_a=False, trans_b=True, where=node.where))
    return reshape(made, (*leading, w.shape[0]), node.where)


def _two(row: str) -> Callable[[Node], Value]:
    def rule(node: Node) -> Value:
        return _activated(node, apply(row, node.value(0), node.value(1), where=node.where), node.activation())

    return rule


def _average_pool(node: Node) -> Value:
    """Divided by as many as a window sees."""
    seen = windows(node)
    counts = {f"counts_{a}": tuple(len(range(*w)) for w in seen[f"windows_{a}"]) for a in "hw"}
    made = apply("avg_pool", node.value(0), where=node.where, **seen, **counts)
    return _activated(node, made, node.activation())


def _max_pool(node: Node) -> Value:
    return _activated(node, apply("max_pool", node.value(0), where=node.where, **windows(node)), node.activation())


def _softmax(node: Node) -> Value:
    beta = node.real("beta")
    return apply("softmax", scale(node.value(0), beta), where=node.where)


def _mean(node: Node) -> Value:
    x, over = node.input(0), axes_of(node)
    count = math.prod(x.shape[a] for a in over["axes"])
    return scale(reduce("reduce_sum", node.value(0), over["axes"], over["keepdims"], node.where), 1 / count)


def _one(row: str) -> Callable[[Node], Value]:
    return lambda node: apply(row, node.value(0), where=node.where)


def _relu(activation: str) -> Callable[[Node], Value]:
    return lambda node: _activated(node, node.value(0), activation)


def checked(node: Node) -> None:
    """Refuses integers among the operands: weights that are int8 where the rest is float32."""
    for tensor in (node.optional(i) for i in range(len(node.operator.inputs))):
        if tensor is not None and tensor.dtype not in ("float32", "int32"):
            where = f"{node.where}: tensor {tensor.name[:80]!r}"
            raise NotSupported(f"{node.operator.name} of float32 and {tensor.dtype}", where, "quantise all, or nothing")


FLOATS: dict[str, Callable[[Node], Value]] = {
    "ADD": _two("add"),
    "AVERAGE_POOL_2D": _average_pool,
    "CONV_2D": _convolution(CONV),
    "DEPTHWISE_CONV_2D": _convolution(DEPTHWISE),
    "FULLY_CONNECTED": _linear,
    "LOGISTIC": _one("sigmoid"),
    "MAX_POOL_2D": _max_pool,
    "MEAN": _mean,
    "MUL": _two("mul"),
    "RELU": _relu("relu"),
    "RELU6": _relu("relu6"),
    "RELU_N1_TO_1": _relu("relu_n1_to_1"),
    "SOFTMAX": _softmax,
    "TANH": _one("tanh"),
}
