"""The set of tensors that contributes most under a budget, with the planner in the loop.

What a set costs is its plan: what is saved for the deepest tensor serves the others too, and the peak is a maximum.
So the knapsack proposes and the planner disposes, in two phases. First, saved activations are estimated as additive
beyond what the planner says of each tensor alone - which fixes the depth of the backward pass - and each plan's error
moves the capacity, until a good set is known to fit. Then the estimate is dropped: what remains are facts, namely that
a set's transient bytes (seconds, joules) are at least those of any of its subsets that was planned. The best set under
the facts is planned; if it does not fit, that is one more fact (Benders' cuts: Hooker and Ottosson, 2003). Where the
best set under the facts is no better than the one that fits, that one is optimal; of two
budgets where it is so, more RAM never gives less. Elsewhere the best set under the facts is only a bound.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from .knapsack import Estimate, Item, Room, solve

ESTIMATES, FACTS = 8, 12  # plans at most in each phase, beside one a tensor and one of its smallest part
SCALE = 10**6  # scores are parts of so many


@dataclass(frozen=True, slots=True)
class Cost:
    """Of one plan. ``fits``: it keeps every limit. ``persistent``, ``transient``: bytes of its arena. ``ample``: it
    would fit if it took fewer bytes of RAM; else time, energy or flash is at its end too."""

    fits: bool
    persistent: int
    transient: int
    ample: bool


Planner = Callable[[frozenset[str]], "Cost | None"]


@dataclass(frozen=True, slots=True)
class Candidate:
    """``score``: its contribution, in any unit; that of a part is at most the whole's. The rest: see :class:`Item`."""

    name: str
    score: float
    bytes: int
    saved: Mapping[str, int]
    fixed: bool | None = None
    of: str = ""
    channels: int = 0
    copied: int = 0


@dataclass(frozen=True, slots=True)
class Found:
    """``share``: of the sum of all scores. ``bound``: no set that fits has a greater share. ``plans``: made for it."""

    names: frozenset[str]
    share: float
    bound: float
    plans: int

    @property
    def proven(self) -> bool:
        return self.bound <= self.share


@dataclass(slots=True)
class _Search:
    items: Sequence[Item]
    ram: int
    planner: Planner
    known: dict[frozenset[str], Cost | None] = field(default_factory=dict)
    rooms: list[Room] = field(default_factory=list)
    best: frozenset[str] | None = None

    def cost(self, names: frozenset[str]) -> Cost | None:
        """Plan ``names`` once; what that says of every larger set is noted."""
        if names in self.known:
            return self.known[names]
        cost = self.known[names] = self.planner(names)
        if cost is None:  # it has no plan: nothing in it influences the loss
            self.rooms.append(Room(names, -1, more=True))
            return None
        ample = cost.fits or cost.ample
        self.rooms.append(Room(names, self.ram - cost.transient if ample else -1))
        copied = sum(item.copied for item in self.items if item.name in names)
        if ample and copied:
            self.rooms.append(Room(names, self.ram - cost.transient + copied, more=True))
        if cost.fits and self.score(names) > self.top and self.allowed(names):
            self.best = names
        return cost

    def allowed(self, names: frozenset[str]) -> bool:
        return all(item.fixed is None or item.fixed == (item.name in names) for item in self.items)

    def score(self, names: frozenset[str]) -> int:
        return sum(item.score for item in self.items if item.name in names)

    @property
    def wholes(self) -> frozenset[str]:
        """All tensors that may learn."""
        return frozenset(item.name for item in self.items if not item.channels)

    @property
    def top(self) -> int:
        return -1 if self.best is None else self.score(self.best)

    def saved(self, names: frozenset[str]) -> int:
        return sum({k: s for item in self.items if item.name in names for k, s in item.saved.items()}.values())

    def estimated(self) -> None:
        """Improve ``best`` by sets whose saved bytes are estimated; the error of each plan moves the capacity."""
        alone = {n: cost for item in self.items if (cost := self.known.get(frozenset((n := item.name,)))) is not None}
        rest = {name: cost.transient - self.saved(frozenset((name,))) for name, cost in alone.items()}
        # A part that was not planned alone is taken for its whole, but for what it saves.
        rest.update({i.name: rest[i.tensor] for i in self.items if i.name not in rest and i.tensor in rest})
        error = 0
        for _ in range(ESTIMATES):
            estimates = [Estimate(name, self.ram - rest[name] - error) for name in rest]
            found = solve(self.items, self.rooms, estimates, self.top)
            if found is None:
                if error <= 0:
                    return
                error //= 2  # too careful: half as much
                continue
            cost = self.cost(found.names)
            if cost is None:
                continue
            own = sum(item.bytes for item in self.items if item.name in found.names)
            guess = own + self.saved(found.names) + max(rest[name] for name in found.names)
            miss = cost.persistent + cost.transient - guess
            error = miss if cost.fits else max(miss, error + 1)

    def facts(self) -> int:
        """Plan what the facts allow until nothing better is left, or the plans are used up; the bound."""
        bound = self.score(self.wholes)
        for _ in range(FACTS):
            found = solve(self.items, self.rooms, above=self.top)
            if found is None:
                return self.top
            bound = found.bound
            cost = self.cost(found.names)
            if cost is not None and not cost.fits and cost.ample:
                self.cost(self._core(found.names))  # the same fact about fewer tensors rules out more
        return max(bound, self.top)

    def _core(self, names: frozenset[str]) -> frozenset[str]:
        """``names`` without those whose saved bytes the others save too."""
        kept = set(names)
        for item in sorted((i for i in self.items if i.name in names), key=lambda i: (len(i.saved), -i.bytes, i.name)):
            others = {k for i in self.items if i.name in kept and i.name != item.name for k in i.saved}
            if len(kept) > 1 and others.issuperset(item.saved):
                kept.discard(item.name)
        return frozenset(kept)


def _smallest(items: Sequence[Item], tensor: str) -> Item:
    """The part of ``tensor`` that costs least; the whole where it has none."""
    return min((i for i in items if i.tensor == tensor), key=lambda i: (not i.channels, i.channels))


def search(candidates: Sequence[Candidate], ram: int, planner: Planner) -> Found | None:
    """The set of the greatest summed score that ``planner`` says fits; None where none was found.

    What contributes nothing is left out, unless it is fixed. planner: the cost of a set of names, None where the set
    has no plan. Deterministic.
    """
    total = sum(c.score for c in candidates if c.fixed is not False and not c.channels)
    if total <= 0:
        return None
    scored = [
        Item(c.name, round(SCALE * c.score / total), c.bytes, c.saved, c.fixed, c.of, c.channels, c.copied)
        for c in candidates
    ]
    items = [item for item in scored if item.fixed or (item.fixed is None and item.score)]
    work = _Search(items, ram, planner)
    work.cost(work.wholes)
    if work.best is None:
        for item in items:
            if item.name in work.wholes or item is _smallest(items, item.tensor):
                work.cost(frozenset((item.name,)))
        work.estimated()
    bound = work.facts()
    if work.best is None:
        return None
    whole = work.score(work.wholes)
    return Found(work.best, work.top / whole, bound / whole, len(work.known))
