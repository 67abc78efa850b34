"""What a refused plan is told: the change that gives up least, found by planning it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ..capture import Captured, capture, select
from ..capture.optimizer import SGD, Optimizer
from ..errors import InvalidInput, NotSupported
from .batch import batched, rows
from .limits import fits

if TYPE_CHECKING:
    from .plan import Plan, Wish

Attempt = Callable[["Wish", Captured], "Plan"]
PROBES = 8  # batches tried on the way to the largest that fits
# (smaller batch, plainer optimiser, fewer updates): from what gives up least to what gives up most.
WAYS = (
    (True, False, False),
    (False, True, False),
    (False, False, True),
    (True, True, False),
    (True, False, True),
    (False, True, True),
    (True, True, True),
)


def cheapest_change(wish: Wish, attempt: Attempt, captured: Captured) -> str | None:
    """What would make ``wish`` fit: a smaller batch, else an optimiser without state, else fewer arrays to update, else
    two of these, else all three. If nothing does, the bytes that the least of them needs; None where that cannot be
    said.

    attempt: the plan of a wish, whether it fits or not. captured: the model of the wish.
    """
    batch = rows(wish.example)
    search = _Search(wish, batch, attempt, {batch: captured})
    least = search.least()
    if least is None:
        return None
    plan, terms = least
    if not fits(plan):
        return _room(plan, search.spell(terms))
    stateful = bool(wish.optimizer.slots)
    for smaller, plainer, fewer in WAYS:
        if (smaller and batch == 1) or (plainer and not stateful):
            continue
        found = search.change(smaller, search.plain if plainer else wish.optimizer, fewer)
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


@dataclass
class _Search:
    wish: Wish
    batch: int
    attempt: Attempt
    captures: dict[int, Captured | None]

    @property
    def plain(self) -> Optimizer:
        return SGD(lr=self.wish.optimizer.lr)

    def plan(self, terms: Terms) -> Plan | None:
        """None if the model cannot be had on these terms."""
        captured = self.captured(terms.batch)
        if captured is None:
            return None
        example = batched(self.wish.example, terms.batch) if terms.batch != self.batch else self.wish.example
        wish = replace(self.wish, example=example, optimizer=terms.optimizer, update=terms.update)
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
                terms = Terms(batch, optimizer, update)
                plan = self.plan(terms)
                if plan is not None:
                    found.append((plan, terms))
            if found:  # a larger batch strains more
                break
        return min(found, key=lambda f: (not fits(f[0]), _strain(f[0])), default=None)

    def change(self, smaller: bool, optimizer: Optimizer, fewer: bool) -> Terms | None:
        """Terms that fit, with the batch, the update or both at the most that fits."""
        batch = 1 if smaller else self.batch
        if fewer:
            update = self._update(batch, optimizer)
            return None if update is None else Terms(batch, optimizer, update)
        if smaller:
            return self._largest_batch(optimizer)
        terms = Terms(batch, optimizer, self.wish.update)
        return terms if self.fits(terms) else None

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

    def _update(self, batch: int, optimizer: Optimizer) -> str | None:
        """The largest "last:K" that fits and is not what is asked for anyway; else "bias"; None if neither fits."""
        captured = self.captured(batch)
        if captured is None:
            return None
        now = set(select(captured, self.wish.update))
        low, high = 0, trained_layers(captured) + 1
        while high - low > 1:
            middle = (low + high) // 2
            fit = self.fits(Terms(batch, optimizer, f"last:{middle}"))
            low, high = (middle, high) if fit else (low, middle)
        if low and set(select(captured, f"last:{low}")) != now:
            return f"last:{low}"
        return "bias" if self.wish.update != "bias" and self.fits(Terms(batch, optimizer, "bias")) else None

    def spell(self, terms: Terms) -> str:
        """The changes from the wish to ``terms``; "" if there are none."""
        parts = []
        if terms.batch != self.batch:
            parts.append(f"batch {terms.batch} instead of {self.batch}")
        if terms.optimizer != self.wish.optimizer:
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
