"""Between real numbers and int8, and functions of one int8. Meanings: ``ir/integer``, bit by bit LiteRT's reference.

int8 rows have no gradient: integers have none.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..graph import Spec
from ..integer import convert
from ..integer.elementwise import clamping, relu
from ..integer.requantise import Requantise, requantise
from ..integer.rules import activation, checked, one_scale, quants, result
from ..integer.table import look_up
from ..op import Arrays, Attrs, Op, register
from ..rules import arity, attr, float_dtype, require
from .elementwise import per_element

# quantise(x){quant}


def _quantise_infer(specs: Sequence[Spec], attrs: Attrs) -> tuple[Spec, ...]:
    arity("quantise", specs, 1)
    float_dtype("quantise", specs)
    return (Spec(specs[0].shape, "int8", result("quantise", attrs)),)


def _quantise(arrays: Arrays, attrs: Attrs) -> tuple[np.ndarray, ...]:
    return (convert.quantise(arrays[0], by=attrs["quant"]),)


register(Op("quantise", _quantise_infer, _quantise, None, per_element))


# dequantise(x){quants, dtype}: computed in float32, whatever dtype is; weights may have a scale a channel, biases are
# int32


def _dequantise_infer(specs: Sequence[Spec], attrs: Attrs) -> tuple[Spec, ...]:
    arity("dequantise", specs, 1)
    (given,) = quants("dequantise", specs, attrs, ("x",), ("int8", "int32"))
    if given.axis is not None:
        extent = specs[0].shape[given.axis] if given.axis < len(specs[0].shape) else None
        require(extent == len(given.scale), "dequantise", "x quant", given, f"a scale for each of {extent}")
    dtype = attr("dequantise", attrs, "dtype")
    require(dtype in ("float32", "float64"), "dequantise", "dtype", dtype, "must be float32 or float64")
    return (Spec(specs[0].shape, dtype),)


def _dequantise(arrays: Arrays, attrs: Attrs) -> tuple[np.ndarray, ...]:
    return (convert.dequantise(arrays[0], by=attrs["quants"][0]).astype(attrs["dtype"]),)


register(Op("dequantise", _dequantise_infer, _dequantise, None, per_element))


# requantise(x){quants, quant} and int8_relu(x){quants, quant, activation}


def rescaling(attrs: Attrs) -> Requantise:
    """The integers of a ``requantise``."""
    (x,), y = attrs["quants"], attrs["quant"]
    return requantise([x.scale[0] / y.scale[0]], y)


def _clamping(attrs: Attrs) -> Requantise:
    return clamping(attrs["quants"][0], attrs["quant"], attrs["activation"])


def _unary_infer(op: str, specs: Sequence[Spec], attrs: Attrs) -> tuple[Spec, ...]:
    arity(op, specs, 1)
    one_scale(op, "x quant", quants(op, specs, attrs, ("x",))[0])
    return (Spec(specs[0].shape, "int8", result(op, attrs)),)


def _requantise_infer(specs: Sequence[Spec], attrs: Attrs) -> tuple[Spec, ...]:
    made = _unary_infer("requantise", specs, attrs)
    checked("requantise", rescaling, attrs)
    return made


def _requantise(arrays: Arrays, attrs: Attrs) -> tuple[np.ndarray, ...]:
    zero = attrs["quants"][0].zero_point[0]
    return (convert.rescale(arrays[0], x_zero=zero, requantise=rescaling(attrs)),)


def _relu_infer(specs: Sequence[Spec], attrs: Attrs) -> tuple[Spec, ...]:
    activation("int8_relu", attrs)
    made = _unary_infer("int8_relu", specs, attrs)
    checked("int8_relu", _clamping, attrs)
    return made


def _relu(arrays: Arrays, attrs: Attrs) -> tuple[np.ndarray, ...]:
    return (relu(arrays[0], x_zero=attrs["quants"][0].zero_point[0], requantise=_clamping(attrs)),)


register(Op("requantise", _requantise_infer, _requantise, None, per_element))
register(Op("int8_relu", _relu_infer, _relu, None, per_element))


# int8_table(x, entries){quants, quant}: entries[x + 128]


def _table_infer(specs: Sequence[Spec], attrs: Attrs) -> tuple[Spec, ...]:
    arity("int8_table", specs, 2)
    entries = (specs[1].shape, specs[1].dtype)
    require(entries == ((256,), "int8"), "int8_table", "entries", specs[1], "must be int8[256]")
    return _unary_infer("int8_table", specs[:1], attrs)


def _table(arrays: Arrays, attrs: Attrs) -> tuple[np.ndarray, ...]:
    return (look_up(arrays[0], entries=arrays[1]),)


register(Op("int8_table", _table_infer, _table, None, per_element))
