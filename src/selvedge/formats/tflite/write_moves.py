"""Rows that move elements, of any type, as operators."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from selvedge.ir import Node, Spec

from .write_int8 import one
from .writing import Rule, Writing


def _reshape(w: Writing, node: Node) -> int:
    return w.reshaped(w.of(node.inputs[0]), node.specs[0].shape, node)


def _transpose(w: Writing, node: Node) -> int:
    return w.operator("TRANSPOSE", (w.of(node.inputs[0]), w.numbers(node.attrs["perm"])), node.specs[0], node)


def _slice(w: Writing, node: Node) -> int:
    starts, stops, steps = (node.attrs[name] for name in ("starts", "stops", "steps"))
    return w.cut(w.of(node.inputs[0]), starts, stops, steps, node)


def _unslice(w: Writing, node: Node) -> int:
    """Axis by axis: zeros between, then around."""
    place, shape = w.of(node.inputs[0]), node.attrs["shape"]
    for axis, (start, step) in enumerate(zip(node.attrs["starts"], node.attrs["steps"], strict=True)):
        given = w.shape(place)
        if step > 1 and given[axis] > 1:
            lead, rest = _product(given[:axis]), _product(given[axis + 1 :])
            apart = w.padded(w.reshaped(place, (lead * given[axis], 1, rest)), ((0, 0), (0, step - 1), (0, 0)))
            longer = (*given[:axis], given[axis] * step, *given[axis + 1 :])
            place = w.reshaped(apart, longer)
            ends = tuple((given[axis] - 1) * step + 1 if a == axis else n for a, n in enumerate(longer))
            place = w.cut(place, (0,) * len(longer), ends)
        given = w.shape(place)
        amounts = [(0, 0)] * len(given)
        amounts[axis] = (start, shape[axis] - start - given[axis])
        place = w.padded(place, amounts)
    return w.reshaped(place, shape, node)


def _product(numbers: tuple[int, ...]) -> int:
    made = 1
    for number in numbers:
        made *= number
    return made


def _part(w: Writing, node: Node) -> int:
    """The first elements along an axis."""
    shape = node.specs[0].shape
    return w.cut(w.of(node.inputs[0]), (0,) * len(shape), shape, node=node)


def _with_part(w: Writing, node: Node) -> int:
    """Those, and the rest of what they are a part of."""
    (new, old), axis = node.inputs, node.attrs["axis"]
    if new.shape == old.shape:
        return w.reshaped(w.of(new), new.shape, node)
    starts = tuple(new.shape[axis] if a == axis else 0 for a in range(len(old.shape)))
    rest = w.cut(w.of(old), starts, old.shape)
    return w.operator("CONCATENATION", (w.of(new), rest), node.specs[0], node, axis=axis)


def _concat(w: Writing, node: Node) -> int:
    return w.operator("CONCATENATION", tuple(map(w.of, node.inputs)), node.specs[0], node, axis=node.attrs["axis"])


def _pad(w: Writing, node: Node) -> int:
    x, value = node.inputs[0], node.attrs["value"]
    amounts = w.numbers(tuple(zip(node.attrs["before"], node.attrs["after"], strict=True)))
    quant = x.spec.quant
    if value == (quant.zero_point[0] if quant is not None else 0):
        return w.operator("PAD", (w.of(x), amounts), node.specs[0], node)
    if quant is None:
        return w.operator("PADV2", (w.of(x), amounts, w.real(value)), node.specs[0], node)
    return w.operator("PADV2", (w.of(x), amounts, one(w, int(value), x.spec)), node.specs[0], node)


def _broadcast(w: Writing, node: Node) -> int:
    spec, place = node.specs[0], w.of(node.inputs[0])
    lead = len(spec.shape) - len(w.shape(place))
    place = w.reshaped(place, (1,) * lead + w.shape(place))
    return w.operator("BROADCAST_TO", (place, w.numbers(spec.shape)), Spec(spec.shape, spec.dtype), node)


RULES: Mapping[str, Rule] = MappingProxyType(
    {
        "broadcast": _broadcast,
        "concat": _concat,
        "pad": _pad,
        "part": _part,
        "reshape": _reshape,
        "slice": _slice,
        "transpose": _transpose,
        "unslice": _unslice,
        "with_part": _with_part,
    }
)
