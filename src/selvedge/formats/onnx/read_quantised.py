"""QuantizeLinear, DequantizeLinear, and looking up by an int8 value. What is uint8 in the file is int8 here, 128 less:
the real numbers are the same."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from selvedge.errors import InvalidInput
from selvedge.ir import Quant, Value, apply, constant
from selvedge.ir.integer.convert import quantise as quantised
from selvedge.ir.quant import permuted

from .expanded import FLOAT
from .model import Model, Operator
from .read_logic import converted
from .read_picks import gather
from .reading import TO_FIRST, TO_LAST, Node
from .tensors import MOST_RANK, printable

# What hands on the scale of what it reads.
MOVING = (
    "Concat", "Expand", "Flatten", "Gather", "Identity", "MaxPool", "Pad", "Reshape", "Slice", "Squeeze", "Transpose",
    "Unsqueeze",
)  # fmt: skip
UNIT = Quant((1.0,))


def _quant(node: Node, rank: int, given: np.ndarray | None = None) -> tuple[Quant, bool]:
    """Scale and zero point, inputs 1 and 2, and whether the integers are uint8. ``given``: the integers, if known."""
    if node.integer("block_size", 0):
        node.unsupported("quantisation by blocks", "use one scale, or one a channel")
    scale = node.array(1)
    node.require(scale.dtype == np.float32 and scale.ndim <= 1, "scale", scale.dtype.name, "float32, one or a list")
    zero = node.array(2) if node.name(2) else None
    kind = zero.dtype if zero is not None else given.dtype if given is not None else np.dtype(np.uint8)
    integers = ("int8", "uint8") if given is None else ("int8", "uint8", "int32")
    if kind.name not in integers:
        node.unsupported(f"{node.operator.said} of {kind.name}", f"use {' or '.join(integers)}")
    if given is not None:
        node.require(given.dtype == kind, "zero point", kind.name, f"it must be {given.dtype.name}")
    unsigned = kind == np.uint8
    zeros = np.zeros(scale.size, np.int64) if zero is None else zero.astype(np.int64).reshape(-1)
    node.require(zeros.size == scale.size, "zero point", zeros.size, f"as many as scales: {scale.size}")
    zeros = zeros - 128 if unsigned else zeros
    axis = node.axis(node.integer("axis", 1), rank) if scale.size > 1 else None
    try:
        return Quant(tuple(scale.reshape(-1).tolist()), tuple(zeros.tolist()), axis), unsigned
    except ValueError as error:
        node.refuse("scale", scale.reshape(-1).tolist()[:3], str(error))


def _quantize(node: Node) -> None:
    made = node.operator.outputs[0]
    looked = node.tensors.looked.get(node.name(0))
    if looked is not None:
        x, entries, last = looked
        y, unsigned = _quant(node, MOST_RANK)
        table = constant(np.roll(quantised(entries, by=y), -128))
        quants = (x.spec.quant,)
        node.put(apply("int8_table", x, table, quants=quants, quant=y, where=node.where), last)
    else:
        node.count(2, 3)
        y, unsigned = _quant(node, len(node.shape(0)))
        last = node.last(0)
        x = node.value(0, last)
        node.require(x.spec.is_float, "input", x.dtype, "it quantises real numbers")
        if x.node.op == "constant":
            node.put(_constant(node, np.asarray(x.node.attrs["value"]), y), last)
        else:
            node.require(y.axis is None, "scales", len(y.scale), "an activation has one scale")
            node.put(apply("quantise", x, quant=y, where=node.where), last)
    if unsigned:
        node.tensors.unsigned.add(made)


def _constant(node: Node, array: np.ndarray, y: Quant) -> Value:
    """Weights that the file holds as real numbers before QuantizeLinear, rounded as ONNX does: halves to even."""
    extents = [1] * array.ndim
    if y.axis is not None:
        node.require(array.shape[y.axis] == len(y.scale), "scales", len(y.scale), f"{array.shape[y.axis]} of them")
        extents[y.axis] = -1
    zero = np.broadcast_to(np.array(y.zero_point), len(y.scale)).reshape(extents if y.axis is not None else ())
    scale = np.array(y.scale, np.float32).reshape(extents if y.axis is not None else ())
    with np.errstate(over="ignore"):
        steps = np.rint(array / scale) + zero
    return constant(np.clip(np.nan_to_num(steps), -128, 127).astype(np.int8))


def _dequantize(node: Node) -> None:
    node.count(2, 3)
    last = node.last(0)
    x = node.value(0, last)
    if x.node.op == "constant":
        array = np.asarray(x.node.attrs["value"])
        shifted = node.name(0) in node.tensors.unsigned
        given = (array.astype(np.int16) + 128).astype(np.uint8) if shifted else array
        quant, unsigned = _quant(node, array.ndim, given)
        if unsigned and not shifted:
            array = (array.astype(np.int16) - 128).astype(np.int8)
        if quant.axis is not None:
            extent = node.shape(0)[quant.axis]
            node.require(extent == len(quant.scale), "scales", len(quant.scale), f"{extent} of them")
        laid = permuted(quant, TO_LAST) if last else quant
        value = constant(array, quant=laid)
        node.put(apply("dequantise", value, quants=(laid,), dtype="float32", where=node.where), last)
        return
    node.require(x.dtype == "int8", "input", x.dtype, "int8 or uint8 that QuantizeLinear made")
    kind = np.uint8 if node.name(0) in node.tensors.unsigned else np.int8
    quant, _ = _quant(node, len(node.shape(0)), np.zeros(0, kind))
    node.require(quant == x.spec.quant, "scale", quant, f"its input has {x.spec.quant}")
    node.put(apply("dequantise", x, quants=(quant,), dtype="float32", where=node.where), last)


def _cast(node: Node) -> None:
    """Of an int8 value it is an index."""
    node.count(1)
    last = node.last(0)
    x, to = node.value(0, last), node.integer("to", 0)
    if x.dtype == "int8" and to in (6, 7) and node.name(0) not in node.tensors.unsigned and x.node.op != "constant":
        node.tensors.indices[node.operator.outputs[0]] = x, last
    else:
        converted(node, to)


def _gather(node: Node) -> None:
    """A table of 256 real numbers by an int8 index, or rows or columns of an image."""
    index = node.tensors.indices.get(node.name(1))
    axis = node.integer("axis", 0)
    if index is not None:
        entries = node.array(0)
        told = f"{entries.dtype.name}{list(entries.shape)}"
        node.require((entries.shape, entries.dtype.name, axis) == ((256,), "float32", 0), "table", told, "float32[256]")
        node.tensors.looked[node.operator.outputs[0]] = index[0], entries, index[1]
        return
    node.count(2)
    x = node.shape(0)
    axis = node.axis(axis, len(x))
    last = node.last(0) or axis == 3
    along = TO_FIRST[axis] if last and len(x) == 4 else axis
    by_list = node.value(1).node.op == "constant" and len(node.shape(1)) == 1
    if len(x) != 4 or along not in (1, 2) or not by_list:
        gather(node)
        return
    picks = node.whole(1)
    node.require(all(-x[axis] <= p < x[axis] for p in picks), "indices", picks[:8], f"each of {x[axis]}")
    chosen = tuple(p % x[axis] for p in picks)
    image = node.value(0, last)
    picked = [chosen if a == along else tuple(range(image.shape[a])) for a in (1, 2)]
    if image.node.op == "nearest":  # rows, then columns: one row of the table
        before = image.node.attrs["rows"], image.node.attrs["columns"]
        image = image.node.inputs[0]
        picked = [tuple(old[p] for p in new) for old, new in zip(before, picked, strict=True)]
    node.put(apply("nearest", image, rows=picked[0], columns=picked[1], where=node.where), last)


def input_quants(model: Model) -> dict[str, Quant]:
    """int8 input -> what its integers stand for: its annotation says it, or the DequantizeLinear that reads it, behind
    whatever moves it. One that none reads stands for the integers themselves."""
    readers: dict[str, list[Operator]] = {}
    for node in model.operators:
        for name in node.inputs:
            readers.setdefault(name, []).append(node)
    found = {}
    for name, (dtype, _) in model.inputs.items():
        note = model.notes.get(name, {})
        if dtype == "int8" and "SCALE_TENSOR" in note:
            where = f"onnx input {printable(name)!r}"
            found[name] = _one(model.constants, where, note["SCALE_TENSOR"], note.get("ZERO_POINT_TENSOR", ""))
        elif dtype == "int8":
            found[name] = _said(model.constants, readers, name)
    return found


def _said(constants: Mapping[str, np.ndarray], readers: Mapping[str, list[Operator]], name: str) -> Quant:
    left, seen = [name], {name}
    while left:
        for node in readers.get(left.pop(), ()):
            # Each operand of the standard's int8 operators is followed by its scale and zero point.
            for i in (0,) if node.op == "DequantizeLinear" else (0, 3) if node.op in FLOAT else ():
                if node.inputs[i : i + 1] and node.inputs[i] in seen:
                    return _one(constants, node.where, *(*node.inputs[i + 1 :], "", "")[:2])
            if node.op in MOVING and node.outputs[0] not in seen:
                seen.add(node.outputs[0])
                left.append(node.outputs[0])
    return UNIT


def _one(constants: Mapping[str, np.ndarray], where: str, scale_name: str, zero_name: str) -> Quant:
    """One scale and one zero point, by the names of their constants."""
    scale, zero = constants.get(scale_name), constants.get(zero_name) if zero_name else np.zeros((), np.int8)
    if scale is None or zero is None or scale.size != 1 or zero.size != 1 or zero.dtype != np.int8:
        raise InvalidInput(f"{where}: scale", printable(scale_name), "an int8 input has one scale and zero point, int8")
    try:
        return Quant((float(scale.reshape(())),), (int(zero.reshape(())),))
    except ValueError as error:
        raise InvalidInput(f"{where}: scale", float(scale.reshape(())), str(error)) from None


QUANTISED: dict[str, Callable[[Node], None]] = {
    "Cast": _cast,
    "DequantizeLinear": _dequantize,
    "Gather": _gather,
    "QuantizeLinear": _quantize,
}
