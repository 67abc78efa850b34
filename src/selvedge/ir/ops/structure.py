"""Rows that move elements and compute nothing."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import numpy as np

from ..build import unbroadcast
from ..graph import Node, Spec, Value
from ..op import Arrays, Attrs, Cost, Op, apply, register
from ..quant import permuted, whole
from ..rules import arity, attr, broadcast, ints, number, rank, require

Grads = Sequence[Value | None]


def free(ins: Sequence[Spec], outs: Sequence[Spec], attrs: Attrs) -> Cost:
    """No arithmetic; the bytes follow from the specs."""
    return Cost()


# reshape{shape}


def _reshape_infer(specs: Sequence[Spec], attrs: Attrs) -> tuple[Spec, ...]:
    arity("reshape", specs, 1)
    shape = ints("reshape", attrs, "shape")
    size = specs[0].size
    require(prod(shape) == size, "reshape", "shape", shape, f"must have {size} elements as {specs[0].shape}")
    return (Spec(shape, specs[0].dtype, whole(specs[0].quant)),)


def _reshape_gradient(node: Node, grads: Grads, needed: Sequence[bool]) -> Grads:
    return [grads[0] and apply("reshape", grads[0], shape=node.inputs[0].shape)]


register(Op("reshape", _reshape_infer, lambda a, at: (a[0].reshape(at["shape"]),), _reshape_gradient, free))


# transpose{perm}: axis i of the result is axis perm[i] of the input


def _transpose_infer(specs: Sequence[Spec], attrs: Attrs) -> tuple[Spec, ...]:
    arity("transpose", specs, 1)
    shape = specs[0].shape
    perm = ints("transpose", attrs, "perm", len(shape))
    require(sorted(perm) == list(range(len(shape))), "transpose", "perm", perm, f"must order {len(shape)} axes")
    return (Spec(tuple(shape[a] for a in perm), specs[0].dtype, permuted(specs[0].quant, perm)),)


def _transpose_gradient(node: Node, grads: Grads, needed: Sequence[bool]) -> Grads:
    perm = node.attrs["perm"]
    inverse = tuple(perm.index(a) for a in range(len(perm)))
    return [grads[0] and apply("transpose", grads[0], perm=inverse)]


register(Op("transpose", _transpose_infer, lambda a, at: (a[0].transpose(at["perm"]),), _transpose_gradient, free))


# slice{starts, stops, steps} and its gradient unslice{shape, starts, steps}


def _window(starts: tuple[int, ...], stops: tuple[int, ...], steps: tuple[int, ...]) -> tuple[slice, ...]:
    return tuple(slice(*s) for s in zip(starts, stops, steps, strict=True))


def _slice_infer(specs: Sequence[Spec], attrs: Attrs) -> tuple[Spec, ...]:
    arity("slice", specs, 1)
    shape = specs[0].shape
    starts, stops = ints("slice", attrs, "starts", len(shape)), ints("slice", attrs, "stops", len(shape))
    steps = ints("slice", attrs, "steps", len(shape), least=1)
    inside = all(0 <= a <= b <= n for a, b, n in zip(starts, stops, shape, strict=True))
    require(inside, "slice", "starts and stops", (starts, stops), f"must satisfy 0 <= start <= stop <= {shape}")
    size = tuple(len(range(*r)) for r in zip(starts, stops, steps, strict=True))
    return (Spec(size, specs[0].dtype, whole(specs[0].quant)),)


def _slice_gradient(node: Node, grads: Grads, needed: Sequence[bool]) -> Grads:
    at = node.attrs
    shape = node.inputs[0].shape
    return [grads[0] and apply("unslice", grads[0], shape=shape, starts=at["starts"], steps=at["steps"])]


def _slice(arrays: Arrays, attrs: Attrs) -> tuple[np.ndarray, ...]:
    return (arrays[0][_window(attrs["starts"], attrs["stops"], attrs["steps"])],)


def _unslice_stops(shape: tuple[int, ...], attrs: Attrs) -> tuple[int, ...]:
    """Just past the last element that is written on each axis."""
    steps = zip(attrs["starts"], shape, attrs["steps"], strict=True)
    return tuple(start + max(0, (n - 1) * step + 1) if n else start for start, n, step in steps)


def _unslice_infer(specs: Sequence[Spec], attrs: Attrs) -> tuple[Spec, ...]:
    arity("unslice", specs, 1)
    n = len(specs[0].shape)
    shape = ints("unslice", attrs, "shape", n)
    ints("unslice", attrs, "starts", n)
    ints("unslice", attrs, "steps", n, least=1)
    stops = _unslice_stops(specs[0].shape, attrs)
    fits = all(a <= b for a, b in zip(stops, shape, strict=True))
    require(fits, "unslice", "shape", shape, f"must hold the elements up to {stops}")
    return (Spec(shape, specs[0].dtype),)


def _unslice(arrays: Arrays, attrs: Attrs) -> tuple[np.ndarray, ...]:
    result = np.zeros(attrs["shape"], arrays[0].dtype)
    result[_window(attrs["starts"], _unslice_stops(arrays[0].shape, attrs), attrs["steps"])] = arrays[0]
    return (result,)


def _unslice_gradient(node: Node, grads: Grads, needed: Sequence[bool]) -> Grads:
    at = node.attrs
    stops = _unslice_stops(node.inputs[0].shape, at)
    return [grads[0] and apply("slice", grads[0], starts=at["starts"], stops=stops, steps=at["steps"])]


register(Op("slice", _slice_infer, _slice, _slice_gradient, free))
register(Op("unslice", _unslice_infer, _unslice, _unslice_gradient, free))


# pad{before, after, value}


def _pad_infer(specs: Sequence[Spec], attrs: Attrs) -> tuple[Spec, ...]:
    arity("pad", specs, 1)
    shape = specs[0].shape
    before, after = ints("pad", attrs, "before", len(shape)), ints("pad", attrs, "after", len(shape))
    number("pad", attrs, "value")
    size = tuple(map(sum, zip(before, shape, after, strict=True)))
    return (Spec(size, specs[0].dtype, whole(specs[0].quant)),)


def _pad(arrays: Arrays, attrs: Attrs) -> tuple[np.ndarray, ...]:
    widths = tuple(zip(attrs["before"], attrs["after"], strict=True))
    return (np.pad(arrays[0], widths, constant_values=attrs["value"]),)


def _pad_gradient(node: Node, grads: Grads, needed: Sequence[bool]) -> Grads:
    before, shape = node.attrs["before"], node.inputs[0].shape
    stops = tuple(b + n for b, n in zip(before, shape, strict=True))
    return [grads[0] and apply("slice", grads[0], starts=before, stops=stops, steps=(1,) * len(shape))]


register(Op("pad", _pad_infer, _pad, _pad_gradient, free))


# concat(n inputs){axis}


def _concat_infer(specs: Sequence[Spec], attrs: Attrs) -> tuple[Spec, ...]:
    require(len(specs) > 0, "concat", "number of inputs", 0, "must be at least 1")
    first, axis = specs[0], attr("concat", attrs, "axis")
    require(axis in range(len(first.shape)), "concat", "axis", axis, f"must be an axis of {first.shape}")
    for spec in specs:
        rank("concat", "input", spec, len(first.shape))
        others = [a for a in range(len(first.shape)) if a != axis]
        same = all(spec.shape[a] == first.shape[a] for a in others) and (spec.dtype, spec.quant) == (
            first.dtype,
            first.quant,
        )
        require(same, "concat", "input", spec, f"must match {first} except on axis {axis}")
    total = sum(s.shape[axis] for s in specs)
    return (Spec((*first.shape[:axis], total, *first.shape[axis + 1 :]), first.dtype, whole(first.quant)),)


def _concat_gradient(node: Node, grads: Grads, needed: Sequence[bool]) -> Grads:
    dy, axis, parts, start = grads[0], node.attrs["axis"], [], 0
    if dy is None:
        return [None] * len(needed)
    for value, wanted in zip(node.inputs, needed, strict=True):
        stop = start + value.shape[axis]
        starts = tuple(start if a == axis else 0 for a in range(len(dy.shape)))
        stops = tuple(stop if a == axis else n for a, n in enumerate(dy.shape))
        part = apply("slice", dy, starts=starts, stops=stops, steps=(1,) * len(stops)) if wanted else None
        parts.append(part)
        start = stop
    return parts


register(Op("concat", _concat_infer, lambda a, at: (np.concatenate(a, at["axis"]),), _concat_gradient, free))


# broadcast{shape}


def _broadcast_infer(specs: Sequence[Spec], attrs: Attrs) -> tuple[Spec, ...]:
    arity("broadcast", specs, 1)
    shape = ints("broadcast", attrs, "shape")
    joint = broadcast("broadcast", [specs[0], Spec(shape)])
    require(joint == shape, "broadcast", "shape", shape, f"must be a broadcast of {specs[0].shape}")
    return (Spec(shape, specs[0].dtype),)


def _broadcast_gradient(node: Node, grads: Grads, needed: Sequence[bool]) -> Grads:
    return [grads[0] and unbroadcast(grads[0], node.inputs[0].shape)]


register(
    Op(
        "broadcast",
        _broadcast_infer,
        lambda a, at: (np.broadcast_to(a[0], at["shape"]),),
        _broadcast_gradient,
        free,
    )
)
