"""Fused loops as data: from elementwise nodes to an :class:`Expression` over collapsed loop axes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from math import prod

from ..ir.graph import Node, Value
from ..ir.ops.compact import BLOCK
from .fuse import DEQUANTIZE, MASKED, root
from .kernel import Argument, Expression, Into, Literal, Operand, Step, Temp


def row_major(shape: Sequence[int]) -> tuple[int, ...]:
    """Strides in elements of a dense array."""
    return tuple(prod(shape[i + 1 :]) for i in range(len(shape)))


def broadcast_strides(value: Value, extents: Sequence[int]) -> tuple[int, ...]:
    """Strides with which ``value`` is read over loops of ``extents`` (0 where it is repeated): a part of a state in the
    strides of the whole."""
    shape = value.shape
    lead = len(extents) - len(shape)
    own = row_major(value.node.inputs[0].shape if value.node.op == "part" else shape)
    return (0,) * lead + tuple(0 if n == 1 else s for n, s in zip(shape, own, strict=True))


def literal(value: Value) -> Literal | None:
    """The number, if ``value`` is a one-element constant."""
    if value.node.op == "constant" and value.spec.size == 1:
        return Literal(float(value.node.attrs["value"].reshape(())))
    return None


def build(
    members: Sequence[Node],
    extents: Sequence[int],
    read: Callable[[Value], int],
    raw: Value | None,
) -> tuple[list[Step], dict[Value, int]]:
    """Steps of ``members`` (in topological order) over uncollapsed loops of ``extents``.

    read(value) gives the position in the kernel's reads for a value made elsewhere. Returns the steps and, per value,
    the index of the step that makes it.
    """
    steps: list[Step] = []
    made: dict[Value, int] = {}
    for node in members:
        args: list[Argument] = []
        for position, value in enumerate(node.inputs):
            number = literal(value)
            # What this kernel makes itself is read element by element, through any view of it.
            base = root(value)
            if base in made:
                args.append(Temp(made[base]))
            elif number is not None:
                args.append(number)
            elif position and node.op in DEQUANTIZE:
                args.append(Operand(read(value), row_major(extents), block=BLOCK))
            elif position and node.op == MASKED:
                args.append(Operand(read(value), row_major(extents), packed=True))
            elif base == raw:
                args.append(Operand(-1, row_major(extents), raw=True))
            else:
                args.append(Operand(read(value), broadcast_strides(value, extents)))
        op = "identity" if node.op == "broadcast" else node.op
        attrs = () if op == "identity" else tuple(sorted(node.attrs.items()))
        made[Value(node)] = len(steps)
        steps.append(Step(op, tuple(args), attrs))
    return steps, made


def collapse(
    extents: Sequence[int], steps: Sequence[Step], borders: Sequence[int] = (), into: Into = ()
) -> tuple[tuple[int, ...], tuple[Step, ...], tuple[int, ...], Into]:
    """Merge neighbouring loop axes that every operand walks as one, and drop axes of one element.

    ``borders``: axis positions that must not be merged across; the third result is where they lie afterwards. into: the
    results that are parts, as an :class:`Expression` has them, and likewise.
    """
    walks = [a.strides for s in steps for a in s.args if isinstance(a, Operand)] + [strides for _, strides in into]
    groups: list[list[int]] = []
    for axis, extent in enumerate(extents):
        if extent == 1:
            continue
        if groups and not any(groups[-1][-1] < b <= axis for b in borders):
            last = groups[-1][-1]
            if all(strides[last] == strides[axis] * extent for strides in walks):
                groups[-1].append(axis)
                continue
        groups.append([axis])

    def kept(strides: tuple[int, ...]) -> tuple[int, ...]:
        return tuple(strides[g[-1]] for g in groups)

    def shrink(argument: Argument) -> Argument:
        return replace(argument, strides=kept(argument.strides)) if isinstance(argument, Operand) else argument

    new_steps = tuple(Step(s.op, tuple(shrink(a) for a in s.args), s.attrs) for s in steps)
    new_borders = tuple(sum(1 for g in groups if g[-1] < b) for b in borders)
    new_into = tuple((write, kept(strides)) for write, strides in into)
    return tuple(prod(extents[i] for i in g) for g in groups), new_steps, new_borders, new_into


def flat_reads(expression: Expression) -> set[int]:
    """Read positions whose every use walks the loops element by element: these may be overwritten in place."""
    dense = row_major(expression.extents)
    uses: dict[int, bool] = {}
    for step in expression.steps:
        for a in step.args:
            if isinstance(a, Operand) and not a.raw:
                uses[a.read] = uses.get(a.read, True) and a.strides == dense and not a.block and not a.packed
    return {read for read, flat in uses.items() if flat}
