"""What a refused plan is told: the change that gives up least, found by planning it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ..capture import Captured, capture, select
from ..capture.optimizer import SGD, Adam, Optimizer, RMSProp
from ..errors import InvalidInput, NotSupported
from .batch import batched, rows
from .limits import fits

if TYPE_CHECKING:
    from .plan import Plan, Wish

Attempt = Callable[["Wish", Captured], "Plan"]
PROBES = 8  # batches tried on the way to the largest that fits


@dataclass(frozen=True, slots=True)
class Way:
    """What is changed: the batch in micro-batches (the same gradient, for accumulators), the state in 8 bits, a smaller
    batch, an optimiser without state, fewer updates."""

    divided: bool = False
    compact: bool = False
    smaller: bool = False
    plainer: bool = False
    fewer: bool = False


# From what gives up least to what gives up most.
WAYS = (
    Way(divided=True),
    Way(compact=True),
    Way(divided=True, compact=True),
    Way(smaller=True),
    Way(plainer=True),
    Way(fewer=True),
    Way(divided=True, plainer=True),
    Way(smaller=True, plainer=True),
    Way(smaller=True, fewer=True),
    Way(plainer=True, fewer=True),
    Way(smaller=True, plainer=True, fewer=True),
)


def cheapest_change(wish: Wish, attempt: Attempt, captured: Captured) -> str | None:
    """What would make ``wish`` fit: the first of :data:`WAYS` that does. If none does, the bytes that the least of them
    needs; None where that cannot be said.

    attempt: the plan of a wish, whether it fits or not. captured: the model of the wish.
    """
    batch = rows(wish.example)
    search = _Search(wish, batch, attempt, {batch // wish.accumulate: captured})
    least = search.least()
    if least is None:
        return None
    plan, terms = least
    if not fits(plan):
        return _room(plan, search.spell(terms))
    for way in WAYS:
        found = search.change(way) if search.applies(way) else None
        if found is not None:
            return search.spell(found)
    return search.spell(terms)


def trained_layers(captured: Captured) -> int:
    """Layers that own a trainable parameter: the largest K of "last:K"."""
    trainable = set(captured.trainable)
    return sum(1 for layer in captured.layers if trainable.intersection(layer.names))


@dataclass(frozen=True, slots=True)
class Terms:
    """What may change of a wish."""

    batch: int
    optimizer: Optimizer
    update: str
    accumulate: int = 1


@dataclass
class _Search:
    wish: Wish
    batch: int
    attempt: Attempt
    captures: dict[int, Captured | None]

    @property
    def plain(self) -> Optimizer:
        return SGD(lr=self.wish.optimizer.lr)

    @property
    def compact(self) -> Optimizer:
        """The same with its state in 8 bits; itself if it has none, or is of a kind that cannot."""
        own = self.wish.optimizer
        if isinstance(own, SGD | Adam | RMSProp) and own.slots and own.state_dtype != "int8":
            return replace(own, state_dtype="int8")
        return own

    def applies(self, way: Way) -> bool:
        """Whether ``way`` changes all that it says it does."""
        wish = self.wish
        return not (
            ((way.smaller or way.divided) and self.batch == wish.accumulate)
            or (way.plainer and not wish.optimizer.slots)
            or (way.compact and self.compact == wish.optimizer)
        )

    def plan(self, terms: Terms) -> Plan | None:
        """None if the model cannot be had on these terms."""
        captured = self.captured(terms.batch // terms.accumulate)
        if captured is None:
            return None
        example = batched(self.wish.example, terms.batch) if terms.batch != self.batch else self.wish.example
        wish = replace(
            self.wish, example=example, optimizer=terms.optimizer, update=terms.update, accumulate=terms.accumulate
        )
        try:
            return self.attempt(wish, captured)
        except (InvalidInput, NotSupported):  # a model without biases, say
            return None

    def captured(self, batch: int) -> Captured | None:
        """None if the model has a fixed batch."""
        if batch not in self.captures:
            self.captures[batch] = None
            with suppress(InvalidInput, NotSupported):  # of one sample a variance, say, cannot be had
                example = batched(self.wish.example, batch)
                self.captures[batch] = capture(self.wish.model, example, norms=self.wish.norms)
        return self.captures[batch]

    def fits(self, terms: Terms) -> bool:
        plan = self.plan(terms)
        return plan is not None and fits(plan)

    def least(self) -> tuple[Plan, Terms] | None:
        """The plan that strains its budget least of those this search can reach, and its terms."""
        optimizer = self.plain if self.wish.optimizer.slots else self.wish.optimizer
        found = []
        for batch in dict.fromkeys((1, self.batch)):
            for update in dict.fromkeys((self.wish.update, "last:1", "bias")):
                terms = Terms(batch, optimizer, update, self.wish.accumulate if batch == self.batch else 1)
                plan = self.plan(terms)
                if plan is not None:
                    found.append((plan, terms))
            if found:  # a larger batch strains more
                break
        return min(found, key=lambda f: (not fits(f[0]), _strain(f[0])), default=None)

    def change(self, way: Way) -> Terms | None:
        """Terms that fit, with the micro-batch, the batch, the update or all at the most that fits."""
        optimizer = self.plain if way.plainer else self.compact if way.compact else self.wish.optimizer
        now = Terms(self.batch, optimizer, self.wish.update, self.wish.accumulate)
        if way.divided:
            return self._largest_micro_batch(now)
        if way.fewer:
            terms = replace(now, batch=1, accumulate=1) if way.smaller else now
            update = self._update(terms)
            return None if update is None else replace(terms, update=update)
        if way.smaller:
            return self._largest_batch(optimizer)
        return now if self.fits(now) else None

    def _largest_micro_batch(self, terms: Terms) -> Terms | None:
        """The fewest micro-batches, of those that divide the batch, with which it fits: the arena grows with their
        size."""
        parts = [n for n in range(terms.accumulate + 1, self.batch + 1) if self.batch % n == 0]
        low, high = 0, len(parts)
        while low < high:
            middle = (low + high) // 2
            fit = self.fits(replace(terms, accumulate=parts[middle]))
            low, high = (low, middle) if fit else (middle + 1, high)
        return replace(terms, accumulate=parts[low]) if low < len(parts) else None

    def _largest_batch(self, optimizer: Optimizer) -> Terms | None:
        """The arena is almost affine in the batch, so that a few probes find the largest that fits."""
        terms, budget = Terms(1, optimizer, self.wish.update), self.wish.budget
        first = self.plan(terms)
        if first is None or not fits(first):
            return None
        low, high, guess = 1, self.batch, 2
        for _ in range(PROBES):
            if high - low <= 1:
                break
            guess = min(max(guess, low + 1), high - 1)
            made = self.plan(replace(terms, batch=guess))
            if made is None:
                break
            slope = max(1.0, (made.arena_bytes - first.arena_bytes) / (guess - 1))
            low, high = (guess, high) if fits(made) else (low, guess)
            guess = 1 + int((budget.ram - first.arena_bytes) / slope)
        return replace(terms, batch=low)

    def _update(self, terms: Terms) -> str | None:
        """The largest "last:K" that fits and is not what is asked for anyway; else "bias"; None if neither fits."""
        captured = self.captured(terms.batch // terms.accumulate)
        if captured is None:
            return None
        now = set(select(captured, self.wish.update))
        low, high = 0, trained_layers(captured) + 1
        while high - low > 1:
            middle = (low + high) // 2
            fit = self.fits(replace(terms, update=f"last:{middle}"))
            low, high = (middle, high) if fit else (low, middle)
        if low and set(select(captured, f"last:{low}")) != now:
            return f"last:{low}"
        return "bias" if self.wish.update != "bias" and self.fits(replace(terms, update="bias")) else None

    def spell(self, terms: Terms) -> str:
        """The changes from the wish to ``terms``; "" if there are none."""
        parts = []
        if terms.batch != self.batch:
            parts.append(f"batch {terms.batch} instead of {self.batch}")
        if terms.accumulate != self.wish.accumulate:
            parts.append(f"accumulate {terms.accumulate} instead of {self.wish.accumulate}")
        if terms.optimizer != self.wish.optimizer and terms.optimizer == self.compact:
            parts.append(f"state_dtype int8 instead of {self.wish.optimizer.state_dtype}")
        elif terms.optimizer != self.wish.optimizer:
            name = type(self.wish.optimizer).__name__
            parts.append(f"plain SGD instead of {name}" + (" with momentum" if name == "SGD" else ""))
        if terms.update != self.wish.update:
            parts.append(f"update {terms.update} instead of {self.wish.update}")
        return " and ".join(filter(None, (", ".join(parts[:-1]), *parts[-1:])))


def _strain(plan: Plan) -> float:
    """The larger share of RAM or flash that ``plan`` needs."""
    memory, budget = plan.arrangement.memory, plan.budget
    return max(memory.arena / budget.ram, memory.flash / budget.flash if budget.flash else 0.0)


def _room(plan: Plan, change: str) -> str:
    """The bytes that ``plan`` needs beyond its budget, on the terms of ``change``."""
    memory, budget = plan.arrangement.memory, plan.budget
    sizes = [f"{memory.arena:,} B of RAM"] if memory.arena > budget.ram else []
    if budget.flash is not None and memory.flash > budget.flash:
        sizes.append(f"{memory.flash:,} B of flash")
    return " and ".join(sizes) + (f" with {change}" if change else "")
