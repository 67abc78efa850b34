"""What an operator makes of constants alone is made when the file is read: shapes, masks, tables of an exporter."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx
from onnx import helper
from onnx.reference import ReferenceEvaluator

from selvedge.errors import InvalidInput, NotSupported, one_line

from .model import Operator
from .tensors import DTYPES

# How large a result of these is, what they are told says; of others, the shapes of what they read.
MOST_FOLDED = 2**24
GROWING = ("ConstantOfShape", "Expand", "OneHot", "Pad", "Range", "Resize", "Tile")


def folded(operator: Operator, opset: int, constants: Mapping[str, np.ndarray]) -> list[np.ndarray]:
    """The results of ``operator`` on ``constants``, by the ONNX project's own reference.

    Raises :class:`InvalidInput` where it refuses, and :class:`NotSupported` for a result of another type.
    """
    given = [constants[name] for name in operator.inputs if name]
    _checked(operator, given)
    node = helper.make_node(operator.op, operator.inputs, operator.outputs, **_attributes(operator))
    ports = [_port(name, constants[name]) for name in dict.fromkeys(filter(None, operator.inputs))]
    results = [helper.make_value_info(name, onnx.TypeProto()) for name in filter(None, operator.outputs)]
    graph = helper.make_graph([node], "constants", ports, results)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])
    read = sum(constants[port.name].size for port in ports)
    if any(size > max(MOST_FOLDED, read) for size in _sizes(model)):
        raise _too_large(operator)
    try:
        with np.errstate(all="ignore"):
            made = ReferenceEvaluator(model).run(None, {port.name: constants[port.name] for port in ports})
    except Exception as error:  # of what it does not take it raises nearly anything
        told = one_line(str(error))[:120] or type(error).__name__
        raise InvalidInput(operator.where, operator.said, f"it cannot be made of constants ({told})") from None
    arrays = [np.asarray(array) for array in made]
    for array in arrays:
        if array.dtype.name not in DTYPES.values():
            fix = f"use {', '.join(sorted(DTYPES.values()))}"
            raise NotSupported(f"{operator.said} of {array.dtype.name}", operator.where, fix)
    return arrays


def _checked(operator: Operator, given: list[np.ndarray]) -> None:
    """Refuses what would ask for all of a machine's memory."""
    if operator.op not in GROWING:
        return
    numbers = [a.astype(float) for a in given if a.dtype.kind in "if" and a.ndim <= 1]
    if operator.op == "Range" and len(numbers) == 3:
        start, stop, step = (float(a.reshape(-1)[0]) if a.size else 0.0 for a in numbers)
        size = abs(stop - start) / abs(step) if step else math.inf
    else:
        size = float(given[0].size if operator.op != "ConstantOfShape" else 1)
        for told in numbers[0 if operator.op == "ConstantOfShape" else 1 :]:
            size *= float(np.prod(np.maximum(1, np.abs(told)), initial=1.0))
    if not size <= MOST_FOLDED:
        raise _too_large(operator)


def _too_large(operator: Operator) -> InvalidInput:
    return InvalidInput(operator.where, operator.said, f"of constants at most {MOST_FOLDED} elements are made")


def _port(name: str, array: np.ndarray) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(array.dtype), array.shape)


def _sizes(model: onnx.ModelProto) -> list[int]:
    """Of each result whose shape follows from the shapes of the inputs: a sum, a product or a choice of two small
    constants may be far larger than they are."""
    try:
        inferred = onnx.shape_inference.infer_shapes(model)
    except Exception:  # it refuses as the reference does, which says why
        return []
    shapes = [port.type.tensor_type.shape.dim for port in inferred.graph.output]
    return [math.prod(d.dim_value for d in shape) for shape in shapes if all(d.HasField("dim_value") for d in shape)]


def _attributes(operator: Operator) -> dict[str, Any]:
    """As onnx's helper takes them."""
    made: dict[str, Any] = {}
    for name, value in operator.attrs.items():
        made[name] = onnx.numpy_helper.from_array(value) if isinstance(value, np.ndarray) else value
    return made
