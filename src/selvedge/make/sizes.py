"""Bounded shapes: which sizes a plan for the largest input runs for, and the example of each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import product
from math import prod
from typing import Any

import torch
from torch.export import Dim

from ..errors import InvalidInput

MOST = 64  # shapes beside the largest: each is a program of its own

Axes = tuple[tuple[int, tuple[int, ...]], ...]
"""Axis -> the sizes it may have, the largest among them, ascending."""


Dynamic = Mapping[int, Iterable[int] | Dim]
"""Axis of the first input -> the sizes that run, or a ``torch.export.Dim`` with a bound."""


def bounded(dynamic: object, example: Sequence[torch.Tensor], *, channels: bool = False, fewer: bool = False) -> Axes:
    """``dynamic``, checked. example: the inputs of one call at their largest. channels: axis 1 stays as it is. fewer:
    its batch was changed, so that of axis 0 what is above it is left out.

    Raises ``InvalidInput`` for an axis that is not there, an open bound, and a size above the example's.
    """
    if dynamic is None:
        return ()
    if not isinstance(dynamic, Mapping):
        fix = "give axis: sizes, as {0: range(1, 9)}"
        raise InvalidInput("dynamic", f"of type {type(dynamic).__name__}", fix)
    shape = tuple(example[0].shape)
    found: dict[int, tuple[int, ...]] = {}
    for axis, given in dynamic.items():
        field = f"dynamic axis {axis}"
        if not isinstance(axis, int) or isinstance(axis, bool) or axis not in range(len(shape)):
            raise InvalidInput("dynamic axis", axis, f"the input {shape} has the axes 0..{len(shape) - 1}")
        if channels and axis == 1:
            raise InvalidInput(field, "of several sizes", "preprocess has figures for each channel: leave it out")
        found[axis] = _sizes(field, given, shape[axis], fewer and axis == 0)
    axes = tuple(sorted((a, s) for a, s in found.items() if len(s) > 1))
    count = prod(len(s) for _, s in axes) - 1
    if count > MOST:
        fix = f"each is a program of its own: give sizes that make at most {MOST}, as range(8, 65, 8)"
        raise InvalidInput("dynamic", f"with {count} smaller shapes", fix)
    return axes


def _sizes(field: str, given: object, bound: int, fewer: bool) -> tuple[int, ...]:
    if isinstance(given, Dim):
        least, most = given.min, given.max
        if not isinstance(most, int):
            fix = f'every shape is planned before it runs: give Dim("{given.__name__}", min=1, max={bound})'
            raise InvalidInput(field, f"{given.__name__}, without a bound", fix)
        given = range(max(1, int(least)), int(most) + 1)
    if isinstance(given, range) and len(given) > MOST + 1:  # before a list is made of it
        raise InvalidInput(field, f"of {len(given)} sizes", f"give at most {MOST + 1}, as range(8, 65, 8)")
    listed = isinstance(given, Iterable) and not isinstance(given, str)
    sizes: list[Any] = list(given) if listed else [given]  # type: ignore[call-overload]
    for size in sizes:
        if not isinstance(size, int) or isinstance(size, bool) or size < 1:
            raise InvalidInput(field, size, "give whole numbers >= 1, as range(1, 9)")
    most = max((s for s in sizes if isinstance(s, int)), default=bound)
    if most > bound and not fewer:
        raise InvalidInput(field, most, f"the plan is for the example's {bound}: give a larger example")
    return tuple(sorted({*(s for s in sizes if s <= bound), bound}))


def smaller(axes: Axes, example: tuple[torch.Tensor, ...]) -> dict[str, tuple[torch.Tensor, ...]]:
    """Suffix of the programs -> their example, for every shape but the largest. Axis 0 of every input goes along; any
    other where the input has the first one's size there."""
    shape = tuple(example[0].shape)
    found = {}
    for sizes in product(*(s for _, s in axes)):
        new = {axis: size for (axis, _), size in zip(axes, sizes, strict=True)}
        if all(shape[axis] == size for axis, size in new.items()):
            continue
        found["_".join(map(str, sizes))] = tuple(_cut(x, shape, new) for x in example)
    return found


def _cut(x: torch.Tensor, shape: tuple[int, ...], new: Mapping[int, int]) -> torch.Tensor:
    """The values of ``x`` that are left: a model that looks at them sees its own."""
    for axis, size in new.items():
        if axis < x.ndim and (axis == 0 or x.shape[axis] == shape[axis]):
            x = x.narrow(axis, 0, size)
    return x.contiguous()
