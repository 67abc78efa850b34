"""Random kernels with an order that must be found, and what can be said of them by trying everything."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from itertools import combinations, product
from typing import Any

from hypothesis import strategies as st

from selvedge import ir
from selvedge.ir.graph import Graph, Spec, Value
from selvedge.planning.kernel import Instance, Kernel, Lowered

UNIT = 1024  # bytes; a search that stops within 64 bytes of the best has found it


@st.composite
def lowereds(draw: Callable[[Any], Any], most: int = 8) -> Lowered:
    """Up to ``most`` kernels over one or two inputs: forks, joins, scratch, results in place, order constraints."""
    sizes = st.integers(1, 6)
    instances: list[Instance] = []

    def new(kilobytes: int) -> int:
        instances.append(Instance(len(instances), f"i{len(instances)}", Spec((kilobytes * UNIT // 4,), "float32")))
        return len(instances) - 1

    inputs = [new(draw(sizes)) for _ in range(draw(st.integers(1, 2)))]
    kernels: list[Kernel] = []
    after: dict[int, set[int]] = {}
    maker: dict[int, int] = {}
    for k in range(draw(st.integers(2, most))):
        known = list(range(len(instances)))
        reads = draw(st.lists(st.sampled_from(known), min_size=1, max_size=3, unique=True))
        if k < len(inputs) and inputs[k] not in reads:
            reads.append(inputs[k])  # every input has a reader
        # Results as large as some operand, each of which may take the place of any operand of its size.
        like = draw(st.booleans())
        writes = [
            new(instances[draw(st.sampled_from(reads))].spec.bytes // UNIT if like else draw(sizes))
            for _ in range(draw(st.integers(1, 2)))
        ]
        scratch = new(draw(sizes)) if draw(st.integers(0, 4)) == 0 else None
        after[k] = {maker[r] for r in reads if r in maker}
        if k and draw(st.integers(0, 3)) == 0:
            after[k].add(draw(st.integers(0, k - 1)))
        maker |= dict.fromkeys(writes, k)
        pairs = [
            (w, r)
            for w, r in product(range(len(writes)), range(len(reads)))
            if like and instances[writes[w]].spec.bytes == instances[reads[r]].spec.bytes
        ]
        inplace = tuple(draw(st.permutations(pairs)))[: draw(st.integers(0, len(pairs)))]
        kernels.append(
            Kernel(k, "loop", tuple(reads), tuple(writes), scratch=scratch, inplace=inplace)
        )  # a kernel may only be read through what it writes: scratch is nobody's operand
        if scratch is not None:
            instances[scratch] = Instance(scratch, "scratch", instances[scratch].spec)
    scratches = {k.scratch for k in kernels}
    kernels = [_without(k, scratches) for k in kernels]
    made = [w for k in kernels for w in k.writes]
    outputs = draw(st.lists(st.sampled_from(made), min_size=1, max_size=2, unique=True))
    return Lowered(
        tuple(kernels),
        tuple(instances),
        {k: frozenset(a) for k, a in after.items()},
        {f"x{i}": instance for i, instance in enumerate(inputs)},
        {f"y{i}": instance for i, instance in enumerate(outputs)},
        {},
        None,
        {},
    )


def _without(kernel: Kernel, scratches: set[int | None]) -> Kernel:
    """``kernel`` reading no other kernel's scratch."""
    reads = tuple(r for r in kernel.reads if r not in scratches)
    inplace = tuple((w, reads.index(kernel.reads[r])) for w, r in kernel.inplace if kernel.reads[r] in reads)
    return Kernel(kernel.id, kernel.family, reads, kernel.writes, scratch=kernel.scratch, inplace=inplace)


def size(lowered: Lowered, instance: int) -> int:
    return lowered.instances[instance].spec.bytes


def live_after(lowered: Lowered, done: frozenset[int]) -> set[int]:
    """What must be in memory once the kernels ``done`` have run."""
    scratches = {k.scratch for k in lowered.kernels}
    maker = {w: k.id for k in lowered.kernels for w in k.writes}
    found = set()
    for i in lowered.instances:
        if i.id in scratches or (i.id in maker and maker[i.id] not in done):
            continue
        unread = any(i.id in k.reads and k.id not in done for k in lowered.kernels)
        if unread or i.id in lowered.outputs.values():
            found.add(i.id)
    return found


def while_running(lowered: Lowered, done: frozenset[int], kernel: int) -> int:
    """Live bytes while ``kernel`` runs after ``done``."""
    k = lowered.kernels[kernel]
    before, behind = live_after(lowered, done), live_after(lowered, done | {kernel})
    total = sum(size(lowered, i) for i in before | set(k.writes) | ({k.scratch} - {None}))
    possible = [(w, r) for w, r in k.inplace if k.reads[r] not in behind]
    return total - max(
        sum(size(lowered, k.writes[w]) for w, _ in chosen)
        for count in range(len(possible) + 1)
        for chosen in combinations(possible, count)
        if len({w for w, _ in chosen}) == len({r for _, r in chosen}) == count
    )


def peak_of(lowered: Lowered, order: tuple[int, ...]) -> int:
    """Live bytes at the worst kernel of ``order``."""
    peak = sum(size(lowered, i) for i in lowered.inputs.values())
    for at, kernel in enumerate(order):
        peak = max(peak, while_running(lowered, frozenset(order[:at]), kernel))
    return peak


def optimum(lowered: Lowered) -> int:
    """The lowest peak of any order: every set of kernels that can have run, by the best way to get there."""
    best = {frozenset[int](): sum(size(lowered, i) for i in lowered.inputs.values())}
    for _ in lowered.kernels:
        onward: dict[frozenset[int], int] = {}
        for done, peak in best.items():
            for k in lowered.kernels:
                if k.id in done or not lowered.after[k.id] <= done:
                    continue
                now = max(peak, while_running(lowered, done, k.id))
                reached = done | {k.id}
                onward[reached] = min(onward.get(reached, now), now)
        best = onward
    return min(best.values())


def is_order(lowered: Lowered, order: tuple[int, ...]) -> bool:
    """Every kernel once, each after what it must follow."""
    at = {k: i for i, k in enumerate(order)}
    return (
        len(order) == len(lowered.kernels)
        and set(at) == {k.id for k in lowered.kernels}
        and all(at[a] < at[k] for k, sources in lowered.after.items() for a in sources)
    )


def elementwise(seed: int, count: int) -> Graph:
    """``count`` random loops over three shapes, with forks, reductions, views and products between them."""
    rng = random.Random(seed)
    shapes = ((6, 4), (1, 4), (6, 1))
    values: dict[tuple[int, ...], list[Value]] = {}
    inputs = {}
    for i, shape in enumerate(shapes):
        inputs[f"x{i}"] = ir.input_leaf(f"x{i}", Spec(shape, "float32"))
        values[shape] = [inputs[f"x{i}"]]
    recent = 12  # operands come from nearby, as in a model

    def pick(shape: tuple[int, ...]) -> Value:
        return rng.choice(values[shape][-recent:])

    def keep(value: Value) -> None:
        values.setdefault(value.shape, []).append(value)

    for _ in range(count):
        kind = rng.random()
        shape = rng.choice(shapes)
        if kind < 0.35:
            keep(ir.apply(rng.choice(("relu", "tanh", "neg", "square")), pick(shape)))
        elif kind < 0.8:
            keep(ir.apply(rng.choice(("add", "mul", "maximum")), pick(shape), pick(rng.choice(shapes))))
        elif kind < 0.88:
            keep(
                ir.reshape(ir.reshape(pick((6, 4)), (24,)), (6, 4))
                if kind < 0.82
                else ir.broadcast(pick(shape), (6, 4))
            )
        elif kind < 0.95:
            keep(ir.apply("reduce_sum", pick((6, 4)), axes=(rng.choice((0, 1)),), keepdims=True))
        else:
            square = ir.apply("matmul", pick((6, 4)), pick((6, 4)), trans_a=True, trans_b=False)
            keep(ir.apply("matmul", pick((6, 4)), square, trans_a=False, trans_b=False))
    ends = {f"y{i}": v for i, v in enumerate(ends_of(values)) if v.node.op != "input"}
    return Graph(inputs, {}, ends)


def ends_of(values: dict[tuple[int, ...], list[Value]]) -> Iterator[Value]:
    """What nothing reads."""
    everything = [v for made in values.values() for v in made]
    read = {v for made in everything for v in made.node.inputs}
    return (v for v in dict.fromkeys(everything) if v not in read)
