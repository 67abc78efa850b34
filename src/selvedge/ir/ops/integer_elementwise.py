"""int8 sum and product of two that broadcast. Meanings: ``ir/integer/elementwise.py``. No gradient."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..graph import Spec
from ..integer.elementwise import Addition, add, addition, mul, product
from ..integer.requantise import Requantise
from ..integer.rules import activation, checked, one_scale, quants, result
from ..op import Arrays, Attrs, Op, register
from ..rules import arity, broadcast
from .elementwise import per_element


def adding(attrs: Attrs) -> Addition:
    """The integers of an ``int8_add``."""
    a, b = attrs["quants"]
    return addition(a, b, attrs["quant"], attrs["activation"])


def multiplying(attrs: Attrs) -> Requantise:
    """The integers of an ``int8_mul``."""
    a, b = attrs["quants"]
    return product(a, b, attrs["quant"], attrs["activation"])


def _infer(op: str, derive: Callable[[Attrs], Any]) -> Callable[[Sequence[Spec], Attrs], tuple[Spec, ...]]:
    def infer(specs: Sequence[Spec], attrs: Attrs) -> tuple[Spec, ...]:
        arity(op, specs, 2)
        for field, quant in zip("ab", quants(op, specs, attrs, ("a", "b")), strict=True):
            one_scale(op, f"{field} quant", quant)
        activation(op, attrs)
        shape, y = broadcast(op, specs), result(op, attrs)
        checked(op, derive, attrs)
        return (Spec(shape, "int8", y),)

    return infer


def _mul(arrays: Arrays, attrs: Attrs) -> tuple[np.ndarray, ...]:
    a, b = (q.zero_point[0] for q in attrs["quants"])
    return (mul(*arrays, a_zero=a, b_zero=b, requantise=multiplying(attrs)),)


# int8_add(a, b), int8_mul(a, b){quants, quant, activation}
register(Op("int8_add", _infer("int8_add", adding), lambda x, at: (add(*x, by=adding(at)),), None, per_element))
register(Op("int8_mul", _infer("int8_mul", multiplying), _mul, None, per_element))
