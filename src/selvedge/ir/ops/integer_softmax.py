"""int8 softmax over the last axis, in fixed point. Meaning: ``ir/integer/softmax.py``. No gradient."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..graph import Spec
from ..integer.rules import checked, one_scale, quants
from ..integer.softmax import MOST_CLASSES, Scaling, scaling, softmax
from ..op import Arrays, Attrs, Cost, Op, register
from ..quant import Quant
from ..rules import arity, number, require

RESULT = Quant((1 / 256,), (-128,))


# int8_softmax(x){beta, quants, quant}: softmax(beta * x); quant is 1/256, or within a thousandth of it, and -128


def exponent_scaling(attrs: Attrs) -> Scaling:
    """The integers of the exponential."""
    return scaling(attrs["quants"][0], attrs["beta"])


def _infer(specs: Sequence[Spec], attrs: Attrs) -> tuple[Spec, ...]:
    op = "int8_softmax"
    arity(op, specs, 1)
    shape = specs[0].shape
    require(bool(shape) and 0 < shape[-1] <= MOST_CLASSES, op, "x shape", shape, f"up to {MOST_CLASSES} classes")
    one_scale(op, "x quant", quants(op, specs, attrs, ("x",))[0])
    y = one_scale(op, "quant", attrs.get("quant", RESULT))
    near = abs(y.scale[0] * 256 - 1) <= 1e-3 and y.zero_point[0] == -128
    require(near, op, "quant", y, "must have the scale 1/256 and the zero point -128")
    number(op, attrs, "beta")
    checked(op, exponent_scaling, attrs)
    return (Spec(shape, "int8", y),)


def _softmax(arrays: Arrays, attrs: Attrs) -> tuple[np.ndarray, ...]:
    return (softmax(arrays[0], by=exponent_scaling(attrs)),)


def _cost(ins: Sequence[Spec], outs: Sequence[Spec], attrs: Attrs) -> Cost:
    """The largest, the difference, the exponential (nine products twice), the sum and the quotient."""
    return Cost(ops=22 * ins[0].size)


register(Op("int8_softmax", _infer, _softmax, None, _cost))
