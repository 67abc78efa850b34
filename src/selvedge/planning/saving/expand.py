"""A sequence with repeats -> a lowered program in which every run is a kernel of its own, on instances of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from ..kernel import ARENA, STATE, Instance, Kernel, Lowered
from .variants import pruned


def expand(low: Lowered, kernels: Mapping[int, Kernel], sequence: Sequence[int]) -> tuple[Lowered, list[int]]:
    """(the program of ``sequence``, its kernels in that order). kernels: those of ``low`` and their variants, by id.

    What a run makes and nothing reads before it is made again is left out where the call can leave it out. What is made
    a second time says which instance it repeats (``of``).
    """
    known = {i.id: i for i in low.instances}
    wanted = _read_later(low, known, kernels, sequence)
    instances = dict(known)
    number = 1 + max([*known, *(w.value.id for k in low.kernels for w in k.windows)], default=-1)
    now: dict[int, int] = {}  # instance of low -> the one that holds its value here
    made: list[Kernel] = []
    inputs = set(low.inputs.values())
    for k, keep in zip(sequence, wanted, strict=True):
        kernel = kernels[k]
        if len(keep) < len(kernel.writes):
            kernel = pruned(kernel, keep, known) or kernel
        reads = tuple(now.get(r, r) for r in kernel.reads)
        own = kernel.writes if kernel.scratch is None else (*kernel.writes, kernel.scratch)
        for i in own:
            if i in now or i in inputs:
                instances[number] = replace(known[i], id=number, of=None if i == kernel.scratch else i)
                now[i] = number
                number += 1
            else:
                now[i] = i
        writes = tuple(now[w] for w in kernel.writes)
        scratch = None if kernel.scratch is None else now[kernel.scratch]
        inner = _renamed(kernel, dict(zip((*kernel.reads, *kernel.writes), (*reads, *writes), strict=True)))
        made.append(replace(kernel, id=len(made), reads=reads, writes=writes, scratch=scratch, inner=inner))
    outputs = {name: now.get(i, i) for name, i in low.outputs.items()}
    gate = None if low.gate is None else now.get(low.gate, low.gate)
    used = _used(made, instances, low, outputs)
    kept, after = tuple(i for n, i in instances.items() if n in used), _after(made, instances, gate)
    whole = Lowered(tuple(made), kept, after, low.inputs, outputs, low.updates, gate, low.constants)
    return whole, [k.id for k in made]


def _renamed(kernel: Kernel, names: Mapping[int, int]) -> tuple[Kernel, ...]:
    """The inner kernels of a streamed one, on the operands of this run; its windows are its own."""
    return tuple(
        replace(k, reads=tuple(names.get(r, r) for r in k.reads), writes=tuple(names.get(w, w) for w in k.writes))
        for k in kernel.inner
    )


def _read_later(
    low: Lowered, known: Mapping[int, Instance], kernels: Mapping[int, Kernel], sequence: Sequence[int]
) -> list[set[int]]:
    """Of each run, the results that something reads before they are made again; state always counts."""
    needed = set(low.outputs.values())
    found: list[set[int]] = []
    for k in reversed(sequence):
        kernel = kernels[k]
        keep = {w for w in kernel.writes if w in needed or known[w].region == STATE}
        needed.difference_update(kernel.writes)
        needed.update(kernel.reads)
        found.append(keep)
    return found[::-1]


def _used(
    made: Sequence[Kernel], instances: Mapping[int, Instance], low: Lowered, outputs: Mapping[str, int]
) -> set[int]:
    touched = {i for k in made for i in k.touches}
    own = {n for n, i in instances.items() if i.region != ARENA}
    return touched | own | set(low.inputs.values()) | set(outputs.values())


def _after(made: Sequence[Kernel], instances: Mapping[int, Instance], gate: int | None) -> dict[int, frozenset[int]]:
    """What must have run before each run: the makers of what it reads; before an update, every reader of the old value
    and the loss; before a value is read back from storage, the run that wrote it there."""
    maker = {w: k.id for k in made for w in k.writes}
    after = {k.id: {maker[r] for r in k.reads if r in maker} - {k.id} for k in made}
    stored = {k.params["of"]: k.id for k in made if k.family == "page_out"}
    readers: dict[str, set[int]] = {}
    for k in made:
        for r in k.reads:
            i = instances[r]
            if i.region == STATE and i.state is not None and i.version == 0:
                readers.setdefault(i.state, set()).add(k.id)
    for k in made:
        if k.family == "page_in":
            after[k.id].add(stored[k.params["of"]])
        for w in k.writes:
            name = instances[w].state
            if name is None:
                continue
            after[k.id] |= readers.get(name, set()) - {k.id}
            if gate in maker:
                after[k.id].add(maker[gate])
    return {k: frozenset(a) for k, a in after.items()}
