"""Live bytes along a sequence of kernels in which a kernel may run more than once.

A sequence with repeats says all there is to say about recomputation and paging: a read takes what was made last, and a
value lives from where it is made to the last read before it is made again, or for good.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from ..kernel import ARENA, STATE, Kernel, Lowered
from ..order import pairs_in_place

Log = list[tuple[int, bool]]  # where an instance is touched, in order: (position, made there rather than read)


@dataclass(slots=True)
class Facts:
    """What replaying needs to know of each kernel, by id; grows as kernels are added to the table.

    reads/writes: instances of the arena, each once. pairs: (write, read) instances of one size that may share bytes.
    over: (read, bytes that a result shares with it by lying over it), where the read dies.
    old: trainable state that it reads as it was before the update. updates: state that it writes. waits: of what
    updates state, the kernels that must have run although it reads nothing of theirs.
    """

    size: dict[int, int]
    inputs: frozenset[int]
    pinned: frozenset[int]
    kernels: dict[int, Kernel]
    reads: dict[int, tuple[int, ...]]
    writes: dict[int, tuple[int, ...]]
    scratch: dict[int, int]
    pairs: dict[int, tuple[tuple[int, int], ...]]
    over: dict[int, tuple[tuple[int, int], ...]]
    cost: dict[int, float]
    seconds: dict[int, float]
    old: dict[int, frozenset[str]]
    updates: dict[int, frozenset[str]]
    price: Callable[[Kernel], float]
    time: Callable[[Kernel], float]
    waits: Mapping[int, frozenset[int]]
    states: Mapping[int, tuple[str, int]]  # instance of state in RAM -> name, version
    shared: dict[tuple[int, tuple[int, ...]], int] = field(default_factory=dict)  # what is known of :func:`_shared`

    @staticmethod
    def of(low: Lowered, price: Callable[[Kernel], float], time: Callable[[Kernel], float]) -> Facts:
        """price: what one run of a kernel costs, in the unit that is given up least of; time: its seconds."""
        size = {i.id: i.spec.bytes for i in low.instances if i.region == ARENA}
        states = {i.id: (str(i.state), i.version) for i in low.instances if i.region == STATE}
        makers = {w: k.id for k in low.kernels for w in k.writes}
        gate = frozenset(makers[low.gate] for _ in (0,) if low.gate in makers)
        once = [k.id for k in low.kernels if any(w in states for w in k.writes)]
        facts = Facts(
            size,
            frozenset(low.inputs.values()) & frozenset(size),
            frozenset(low.outputs.values()) & frozenset(size),
            {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, price, time, dict.fromkeys(once, gate), states,
        )  # fmt: skip
        for k in low.kernels:
            facts.add(k)
        return facts

    def add(self, k: Kernel) -> None:
        size = self.size
        self.kernels[k.id] = k
        self.reads[k.id] = tuple(dict.fromkeys(r for r in k.reads if r in size))
        self.writes[k.id] = tuple(w for w in k.writes if w in size)
        self.scratch[k.id] = size[k.scratch] if k.scratch is not None else 0
        pairs = ((k.writes[w], k.reads[r]) for w, r in k.inplace)
        self.pairs[k.id] = tuple((w, r) for w, r in pairs if w in size and r in size and size[w] == size[r])
        self.over[k.id] = tuple(
            (k.reads[r], min(size[k.writes[w]] - apart, size[k.reads[r]]))
            for w, r, apart in k.overlay
            if k.reads[r] in size and k.writes[w] in size
        )
        self.cost[k.id], self.seconds[k.id] = self.price(k), self.time(k)
        named = [self.states[r] for r in k.reads if r in self.states]
        self.old[k.id] = frozenset(name for name, version in named if version == 0)
        self.updates[k.id] = frozenset(self.states[w][0] for w in k.writes if w in self.states)


def profile(facts: Facts, sequence: Sequence[int]) -> list[int]:
    """Live transient bytes while each kernel of ``sequence`` runs, every kernel writing in place where it can.

    Walks backwards: a value is live where a later kernel still reads it.
    """
    size, reads, writes, scratch = facts.size, facts.reads, facts.writes, facts.scratch
    pairs, over = facts.pairs, facts.over
    needed = set(facts.pinned)
    live = sum(size[i] for i in needed)
    found = [0] * len(sequence)
    for at in range(len(sequence) - 1, -1, -1):
        k = sequence[at]
        during, after = live + scratch[k], live
        for w in writes[k]:
            if w in needed:
                needed.discard(w)
                after -= size[w]
            else:
                during += size[w]
        dying = []
        for r in reads[k]:
            if r not in needed:
                needed.add(r)
                dying.append(r)
                during += size[r]
                after += size[r]
        if dying and (pairs[k] or over[k]):
            key = k, tuple(dying)
            if key not in facts.shared:
                facts.shared[key] = max([_shared(facts, k, dying), *(n for r, n in over[k] if r in dying)])
            during -= facts.shared[key]
        found[at] = during
        live = after
    if not needed <= facts.inputs:
        raise ValueError("a kernel reads what no kernel before it has made")
    return found


def _shared(facts: Facts, k: int, dying: list[int]) -> int:
    """Bytes that kernel ``k`` saves by writing over operands that die with it."""
    usable = [(w, r) for w, r in facts.pairs[k] if r in dying]
    if len(usable) <= 1:
        return facts.size[usable[0][0]] if usable else 0
    own = list(dict.fromkeys(w for w, _ in usable))
    other = list(dict.fromkeys(r for _, r in usable))
    positions = [(own.index(w), other.index(r)) for w, r in usable]
    return sum(facts.size[w] for w, _ in pairs_in_place(positions, own, other, set(other), facts.size))


def touches(facts: Facts, sequence: Sequence[int]) -> dict[int, Log]:
    """Inputs are made at -1."""
    found: dict[int, Log] = {i: [(-1, True)] for i in facts.inputs}
    for at, k in enumerate(sequence):
        for r in facts.reads[k]:
            found.setdefault(r, []).append((at, False))
        for w in facts.writes[k]:
            found.setdefault(w, []).append((at, True))
    return found
