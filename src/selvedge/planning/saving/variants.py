"""Cheaper kernels that make a value again: with fewer results, or from a result that is still there."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from ..expression import flat_reads, row_major
from ..kernel import Argument, Expression, Instance, Kernel, Operand, Step, Temp


def pruned(kernel: Kernel, keep: Collection[int], instances: Mapping[int, Instance]) -> Kernel | None:
    """``kernel`` without the writes that are not in ``keep`` (instance ids); None where the call cannot leave them out.

    The steps that only they need go too, and so do the reads of those steps.
    """
    writes = tuple(w for w in kernel.writes if w in keep)
    if not writes or kernel.reduction is not None:
        return None
    if kernel.expression is None:
        return replace(kernel, writes=writes) if kernel.family == "max_pool" and writes == kernel.writes[:1] else None
    made = {kernel.writes[w]: step for w, step in kernel.expression.results}
    if any(w not in made for w in kernel.writes):
        return None  # a result of the call itself, which the loop reads where it lies
    if kernel.tile is not None and not kernel.tile.staged:
        # The tile is made where the first result belongs: that must be one of its type and size.
        tile = instances[kernel.writes[0]].spec
        like = [w for w in writes if (instances[w].spec.dtype, instances[w].spec.size) == (tile.dtype, tile.size)]
        if not like:
            return None
        writes = (like[0], *(w for w in writes if w != like[0]))
    expression, reads = _only(kernel.expression, [(made[w], i) for i, w in enumerate(writes)], kernel)
    position = {w: i for i, w in enumerate(writes)}
    into = ((kernel.writes[w], strides) for w, strides in kernel.expression.into)
    expression = replace(expression, into=tuple((position[w], strides) for w, strides in into if w in position))
    at = {r: i for i, r in enumerate(reads)}
    fixed = kernel.producer_reads
    inplace = tuple(
        (position[kernel.writes[w]], at[kernel.reads[r]])
        for w, r in kernel.inplace
        if kernel.writes[w] in position and kernel.reads[r] in at and at[kernel.reads[r]] >= fixed
    )
    return replace(kernel, reads=reads, writes=writes, expression=expression, inplace=inplace)


def derived(kernel: Kernel, wanted: int, instances: Mapping[int, Instance]) -> Kernel | None:
    """A loop that makes result ``wanted`` (an instance id) of ``kernel`` from its other results, where that is all it
    takes: a norm's output from its centred input, say. It costs a pass over the elements instead of a convolution."""
    e = kernel.expression
    if e is None or kernel.reduction is not None:
        return None
    makes = {step: write for write, step in e.results}
    goal = next((step for w, step in e.results if kernel.writes[w] == wanted), None)
    if goal is None:
        return None
    reads: list[int] = []
    steps: list[Step] = []
    renumbered: dict[int, int] = {}
    dense = row_major(e.extents)
    siblings = 0

    def position(instance: int) -> int:
        if instance not in reads:
            reads.append(instance)
        return reads.index(instance)

    # Walk back from the goal; what a sibling holds is read from there.
    needed, stack = set(), [goal]
    while stack:
        step = stack.pop()
        if step in needed:
            continue
        needed.add(step)
        for a in e.steps[step].args:
            if isinstance(a, Operand) and a.raw:
                return None
            if isinstance(a, Temp) and not _held(makes, a.index, goal, kernel, instances):
                stack.append(a.index)
    for step in sorted(needed):
        args: list[Argument] = []
        for a in e.steps[step].args:
            if isinstance(a, Temp) and a.index not in renumbered:
                args.append(Operand(position(kernel.writes[makes[a.index]]), dense))
                siblings += 1
            elif isinstance(a, Temp):
                args.append(Temp(renumbered[a.index]))
            elif isinstance(a, Operand):
                args.append(replace(a, read=position(kernel.reads[a.read])))
            else:
                args.append(a)
        renumbered[step] = len(steps)
        steps.append(Step(e.steps[step].op, tuple(args), e.steps[step].attrs))
    if not siblings:
        return None  # a plain loop: the kernel itself, pruned, does the same
    expression = Expression(e.extents, tuple(steps), ((0, renumbered[goal]),))
    size = instances[wanted].spec
    inplace = tuple(
        (0, r)
        for r in sorted(flat_reads(expression))
        if (instances[reads[r]].spec.bytes, instances[reads[r]].spec.size) == (size.bytes, size.size)
    )
    return Kernel(
        kernel.id, "loop", tuple(reads), (wanted,), {}, 0, None, expression, None, None, inplace, 0, kernel.label,
        kernel.where,
    )  # fmt: skip


def _held(makes: dict[int, int], step: int, goal: int, kernel: Kernel, instances: Mapping[int, Instance]) -> bool:
    """Is the value of ``step`` another result of the kernel, in memory as exactly as in a register? A mask is not, and
    of a part the loops read the whole."""
    if step not in makes or step == goal or (kernel.expression and makes[step] in dict(kernel.expression.into)):
        return False
    return instances[kernel.writes[makes[step]]].spec.is_float


def _only(e: Expression, goals: Sequence[tuple[int, int]], kernel: Kernel) -> tuple[Expression, tuple[int, ...]]:
    """(the expression that makes just ``goals``, pairs of step and write position; the reads it leaves)."""
    needed, stack = set(), [step for step, _ in goals]
    while stack:
        step = stack.pop()
        if step not in needed:
            needed.add(step)
            stack += [a.index for a in e.steps[step].args if isinstance(a, Temp)]
    fixed = kernel.producer_reads
    used = {a.read for s in needed for a in e.steps[s].args if isinstance(a, Operand) and not a.raw}
    kept = [r for r in range(len(kernel.reads)) if r < fixed or r in used]
    at = {r: i for i, r in enumerate(kept)}
    number = {s: i for i, s in enumerate(sorted(needed))}

    def moved(a: Argument) -> Argument:
        if isinstance(a, Temp):
            return Temp(number[a.index])
        if isinstance(a, Operand) and not a.raw:
            return replace(a, read=at[a.read])
        return a

    steps = tuple(Step(s.op, tuple(map(moved, s.args)), s.attrs) for s in (e.steps[i] for i in sorted(needed)))
    results = tuple((write, number[step]) for step, write in goals)
    return Expression(e.extents, steps, results), tuple(kernel.reads[r] for r in kept)
