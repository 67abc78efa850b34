"""What every value of a scheduled program is, by name: the checker's proof that what is made a second time is the same.

A value is named by a digest of how it comes about - operation, dimensions, names of its operands - down to inputs and
state with its version. An element-by-element operand that another kernel made is named by its own steps, so that a
value read from memory and the same value computed in passing have one name. Imports nothing of the planner.
"""

from __future__ import annotations

import hashlib
from math import prod
from typing import Any

from .kernel import FLASH, Argument, Kernel, Literal, Temp
from .schedule import Compute, Program


class Contradiction(ValueError):
    """An instance that does not hold what it says. ``instance``: its id."""

    def __init__(self, instance: int, what: str) -> None:
        super().__init__(what)
        self.instance = instance


def names(program: Program) -> dict[int, str]:
    """Instance id -> name of the value that it holds when it is made. Raises :class:`Contradiction` where an instance
    is another's value again (``of``) and is not, or where storage gives back what was not written there."""
    found: dict[int, str] = {}
    for name, i in program.inputs.items():
        found[i] = _digest("input", name)
    for instance in program.instances.values():
        if instance.state is not None and instance.version == 0:
            found[instance.id] = _digest("state", instance.state)
        elif instance.region == FLASH:
            found[instance.id] = _digest("constant", instance.label)
    storage: dict[tuple[int, int], str] = {}  # (first byte, one past the last) -> name
    for event in program.schedule:
        if not isinstance(event, Compute):
            continue
        kernel = program.kernels[event.kernel]
        if kernel.family == "page_out":
            place = _place(kernel)
            for other in [o for o in storage if o[0] < place[1] and place[0] < o[1]]:
                del storage[other]
            storage[place] = found[kernel.reads[0]]
        elif kernel.family == "page_in":
            back = storage.get(_place(kernel))
            if back is None:
                raise Contradiction(kernel.writes[0], f"{kernel.label} reads storage that was not written there")
            found[kernel.writes[0]] = back
        else:
            found.update(_results(kernel, found, program))
        for w in kernel.writes:
            of = program.instances[w].of
            if of is not None and found.get(of) != found[w]:
                raise Contradiction(w, f"{kernel.label} does not make {program.instances[of].label} again")
    return found


def _place(kernel: Kernel) -> tuple[int, int]:
    return kernel.params["at"], kernel.params["at"] + kernel.params["bytes"]


def _results(kernel: Kernel, found: dict[int, str], program: Program) -> dict[int, str]:
    own = [found.get(r, "") for r in kernel.reads[: kernel.producer_reads]]
    raw = _digest(kernel.family, sorted(kernel.params.items()), own)
    if kernel.expression is None:
        return {w: _digest(raw, n) for n, w in enumerate(kernel.writes)}
    e = kernel.expression
    dense = tuple(prod(e.extents[d + 1 :]) for d in range(len(e.extents)))
    made: list[str] = []

    def name(a: Argument) -> str:
        if isinstance(a, Literal):
            return repr(a.value)
        if isinstance(a, Temp):
            return made[a.index]
        value = raw if a.raw else found.get(kernel.reads[a.read], "")
        whole = a.raw or a.block or a.packed or _elements(program, kernel.reads[a.read]) == prod(e.extents)
        return value if a.strides == dense and whole else _digest(value, a.strides, e.extents)

    for step in e.steps:
        made.append(_digest(step.op, step.attrs, [name(a) for a in step.args]))
    if kernel.reduction is not None:
        r = kernel.reduction
        return {kernel.writes[0]: _digest("reduce", r.kind, r.split, e.extents, made[r.step])}
    named = {kernel.writes[write]: made[step] for write, step in e.results}
    for write, strides in e.into:  # a new part of what the state held before
        w = kernel.writes[write]
        named[w] = _digest("part", program.instances[w].state, strides, e.extents, named[w])
    return {w: named.get(w, raw if n == 0 else _digest(raw, n)) for n, w in enumerate(kernel.writes)}


def _elements(program: Program, i: int) -> int:
    return prod(program.instances[i].spec.shape)


def _digest(*parts: Any) -> str:
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:32]
