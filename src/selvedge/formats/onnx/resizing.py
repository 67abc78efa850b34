"""Resize: of every element along an axis, which elements it is made of, and how much of each."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from .reading import Node

Place = Callable[[int], float]
"""An element's number in the result -> its place in the input."""


def resized(node: Node, shape: tuple[int, ...]) -> dict[int, dict[str, Any]]:
    """Axis -> the attributes of a ``resample`` row, for the axes that change. Raises ``NotSupported``."""
    mode, way = node.text("mode", "nearest"), node.text("coordinate_transformation_mode", "half_pixel")
    if node.integer("antialias", 0):
        node.unsupported("Resize with antialias", "resize without")
    if node.text("keep_aspect_ratio_policy", "stretch") != "stretch":
        node.unsupported(f"Resize by keep_aspect_ratio_policy {node.text('keep_aspect_ratio_policy', '')}", "stretch")
    if way not in PLACES:
        node.unsupported(f"Resize by {way}", f"use {', '.join(sorted(PLACES))}")
    node.require(mode in ("nearest", "linear", "cubic"), "mode", mode, "nearest, linear or cubic")
    found = node.operator.attrs.get("axes", tuple(range(len(shape))))
    if not isinstance(found, tuple):
        node.refuse("axes", found, "integers")
    axes = [node.axis(int(a), len(shape)) for a in found]
    scales = _scales(node, 2)
    sizes = node.whole(3) if node.name(3) else ()
    given = len(scales) == len(axes) if scales else len(sizes) == len(axes)
    node.require(given, "scales or sizes", scales or sizes, f"one for each of {len(axes)} axes")
    made = {}
    for i, axis in enumerate(axes):
        old = shape[axis]
        new = sizes[i] if sizes else math.floor(old * scales[i])
        scale = scales[i] if scales else new / old
        node.require(0 < new <= 1 << 24, "size", new, "from 1 to 2^24 elements")
        if new == old and scale == 1:
            continue
        place = PLACES[way](old, new, scale)
        made[axis] = _table(node, mode, place, old, new)
    return made


def _scales(node: Node, i: int) -> tuple[float, ...]:
    if not node.name(i):
        return ()
    array = node.array(i)
    node.require(array.dtype.kind == "f" and array.ndim == 1, "scales", array.dtype.name, "a list of float32")
    node.require(bool((array > 0).all()), "scales", array.tolist()[:8], "above 0")
    return tuple(float(s) for s in array)


def _half(old: int, new: int, scale: float) -> Place:
    return lambda i: (i + 0.5) / scale - 0.5


def _symmetric(old: int, new: int, scale: float) -> Place:
    adjusted = new / (scale * old)
    offset = old / 2 * (1 - adjusted)
    return lambda i: offset + (i + 0.5) / scale - 0.5


PLACES: dict[str, Callable[[int, int, float], Place]] = {
    "align_corners": lambda old, new, scale: lambda i: i * (old - 1) / (scale * old - 1) if new > 1 else 0.0,
    "asymmetric": lambda old, new, scale: lambda i: i / scale,
    "half_pixel": _half,
    "half_pixel_symmetric": _symmetric,
    "pytorch_half_pixel": lambda old, new, scale: _half(old, new, scale) if new > 1 else lambda i: 0.0,
}

ROUNDED: dict[str, Callable[[float], int]] = {
    "ceil": math.ceil,
    "floor": math.floor,
    "round_prefer_ceil": lambda at: math.floor(at + 0.5),
    "round_prefer_floor": lambda at: math.ceil(at - 0.5),
}


def _table(node: Node, mode: str, place: Place, old: int, new: int) -> dict[str, Any]:
    starts, index, weights = [0], [], []
    near = node.text("nearest_mode", "round_prefer_floor")
    node.require(near in ROUNDED, "nearest_mode", near, f"one of {', '.join(ROUNDED)}")
    cubic, outside = node.number("cubic_coeff_a", -0.75), bool(node.integer("exclude_outside", 0))
    for i in range(new):
        at = place(i)
        if mode == "nearest":
            taps = {ROUNDED[near](at): 1.0}
        elif mode == "linear":
            low = math.floor(at)
            taps = {low: 1 - (at - low), low + 1: at - low}
        else:
            low = math.floor(at)
            taps = {low + k: _cubic(at - low - k, cubic) for k in (-1, 0, 1, 2)}
        if outside and mode != "nearest":
            inside = {tap: w for tap, w in taps.items() if 0 <= tap < old}
            total = sum(inside.values())
            taps = {tap: w / total for tap, w in inside.items()} if total else taps
        for tap, weight in taps.items():
            if weight:
                index.append(min(max(tap, 0), old - 1))  # the edge goes on
                weights.append(weight)
        starts.append(len(index))
    plain = all(w == 1 for w in weights)
    return {"starts": tuple(starts), "index": tuple(index), "weights": () if plain else tuple(weights)}


def _cubic(distance: float, a: float) -> float:
    """Keys, "Cubic convolution interpolation for digital image processing" (1981), eq. 4, of any a."""
    x = abs(distance)
    if x <= 1:
        return (a + 2) * x**3 - (a + 3) * x**2 + 1
    return a * x**3 - 5 * a * x**2 + 8 * a * x - 4 * a if x < 2 else 0.0
