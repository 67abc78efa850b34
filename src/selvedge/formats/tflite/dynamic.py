"""Convolutions of float activations with int8 weights (LiteRT's "dynamic range"), with one scale for all weights.

LiteRT (``kernels/conv.cc``, ``EvalHybrid``) rounds what such a layer is given to integers as it runs: of each sample,
127 steps up to its largest magnitude. So do these rows.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np

from selvedge.ir import Value, apply, constant, reduce

from .model import Model, Operator

STEPS = 127.0
HALF = float(np.nextafter(np.float32(0.5), np.float32(0)))  # truncated behind it: halves away from zero, no less does
LEAST = 1e-36  # of a magnitude: less would have more steps than a float32 counts


def scales(model: Model) -> dict[int, float]:
    """Tensor index -> its scale: int8 constants that are read by such convolutions alone."""
    found, other = dict[int, float](), set[int]()
    for operator in model.operators:
        for place, index in enumerate(operator.inputs):
            if index is None:
                continue
            if place == 1 and _is_one(model, operator):
                quant = model.tensors[index].quant
                assert quant is not None
                found[index] = quant.scale[0]
            else:
                other.add(index)
    return {index: scale for index, scale in found.items() if index not in other | set(model.outputs)}


def _is_one(model: Model, operator: Operator) -> bool:
    if operator.name != "CONV_2D" or any(i is None for i in operator.inputs[:2]):
        return False
    x, w = (model.tensors[i] for i in operator.inputs[:2] if i is not None)
    exact = x.dtype == "float32" and w.dtype == "int8" and w.data is not None
    if not exact or w.quant is None or len(w.quant.scale) != 1 or not w.quant.is_symmetric:
        return False
    # Products of integers are summed in float32: exact as long as no sum leaves its 24 bits.
    return math.prod(w.shape[1:]) * STEPS * 128 < 2**24


def integers(model: Model, found: Mapping[int, float]) -> Model:
    """``model`` with the weights that :func:`scales` ``found`` as real numbers that are those integers."""
    return _with(model, dict.fromkeys(found, 1.0))


def reals(model: Model, found: Mapping[int, float]) -> Model:
    """``model`` with those weights as the real numbers that they stand for: nothing is rounded as it runs."""
    return _with(model, found)


def _with(model: Model, factors: Mapping[int, float]) -> Model:
    tensors = list(model.tensors)
    for index, factor in factors.items():
        data = tensors[index].data
        assert data is not None
        made = np.asarray(data * np.float32(factor), np.float32)
        made.setflags(write=False)
        tensors[index] = replace(tensors[index], dtype="float32", quant=None, data=made)
    return replace(model, tensors=tuple(tensors))


def rounded(x: Value, scale: float, computed: Callable[[Value], Value], where: str) -> Value:
    """What ``computed`` makes of ``x`` in integers, as real numbers: a step of ``x`` by a step of the weights, which is
    ``scale``. Of zeros it is zeros."""
    axes = range(1, len(x.shape))
    largest = reduce("reduce_max", apply("abs", x, where=where), axes, keepdims=True, where=where)
    by = apply("div", constant(STEPS, "float32"), apply("maximum", largest, constant(LEAST, "float32"), where=where))
    steps = apply("mul", x, by, where=where)
    away = apply("add", steps, apply("mul", apply("sign", steps), constant(HALF, "float32"), where=where), where=where)
    codes = apply("clamp", apply("trunc", away, where=where), min=-STEPS, max=STEPS, where=where)
    step = apply("mul", apply("div", largest, constant(STEPS, "float32")), constant(scale, "float32"), where=where)
    return apply("mul", computed(codes), step, where=where)
