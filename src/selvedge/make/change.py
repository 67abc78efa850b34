"""What a refused plan is told: up to three changes after which it fits, found by planning them, each with its price."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import combinations
from typing import TYPE_CHECKING

from ..capture import Captured, select
from ..capture.optimizer import SGD, Adam, Optimizer, RMSProp
from ..capture.select import trained_layers
from ..changes import Change
from .attempts import Attempt, Attempts, Terms, learnt
from .limits import excess, fits
from .wish import Wish

if TYPE_CHECKING:
    from .plan import Plan

MOST = 3  # changes that are told
PLANS = 30  # planned at most for one refusal,
ENOUGH = 20  # and so many where something has been found already
LAST = 5  # of them kept for the most that learns with everything else given up, where nothing has been found
PROBES = 8  # batches tried on the way to the largest that fits
SLOWDOWN = 4.0  # at least so many times the plain time may be taken to make values again
# From what gives up least to what gives up most: the same numbers more slowly; the same gradient in micro-batches; the
# same with the wear of storage; the optimiser's state in 8 bits; fewer samples behind a gradient; another path of
# descent; norms that no longer learn; fewer parameters that learn.
KINDS = ("trade", "accumulate", "page", "state", "batch", "optimizer", "norms", "update")
NEVER = (frozenset(("accumulate", "batch")), frozenset(("state", "optimizer")))  # both change the same
SLOW = frozenset(("trade", "page"))  # long to plan, and little more beside another change
FEWER = frozenset(("norms", "update"))  # a folded norm saves no activation of its own, so that more layers may learn
# These make activations smaller: what is kept in flash is as large.
SMALLER = frozenset(("trade", "accumulate", "page", "batch"))


def changes(
    wish: Wish, refused: Plan, attempt: Attempt, captured: Captured, automatic: bool = False
) -> tuple[str | None, tuple[Change, ...]]:
    """(the first change in words, up to three changes after which ``wish`` fits).

    Single changes first, then two together, and so on; none that holds another within it, unless more learns for it.
    Where nothing fits, the words are the bytes that the least that was tried needs; None where that cannot be said.

    refused: the plan of ``wish``, which breaks its budget. attempt: the plan of a wish, whether it fits or not.
    captured: the model of ``wish``. automatic: the update of ``wish`` was not asked for, but found: a change names it.
    """
    attempts = Attempts(wish, attempt, captured, PLANS)
    search = _Search(attempts)
    least = search.least()
    if least is None:
        return None, ()
    plan, terms = least
    if not fits(plan):
        return _room(plan, spell(terms, attempts.own)), ()
    found: dict[frozenset[str], tuple[Terms, Plan]] = {}
    together = False
    for kinds in search.ways(refused):
        if len(found) == MOST or attempts.count >= (ENOUGH if found else PLANS):
            break
        if len(kinds) > 1 and not together:
            together = True
            made = search.together() if all("update" in known for known in found) else None
            if made is not None and learnt(made[1]) > max((learnt(p) for _, p in found.values()), default=0):
                found[_kinds(made[0], attempts.own)] = made
        within = [learnt(p) for known, (_, p) in found.items() if known <= kinds]
        if not within or ("update" in kinds and max(within) < learnt(refused)):
            made = search.change(kinds)
            if made is not None and learnt(made[1]) > max(within, default=0):
                found[kinds] = made
    told = [_priced(*made, attempts.own, refused, automatic) for made in found.values() or [(terms, plan)]]
    told.sort(key=lambda change: change.gives_up)
    return told[0].text, tuple(told)


class _Search:
    def __init__(self, attempts: Attempts) -> None:
        self.attempts, self.wish, self.own = attempts, attempts.wish, attempts.own

    def ways(self, refused: Plan) -> Iterator[frozenset[str]]:
        """Sets of kinds of change that apply here, the smallest first."""
        over = excess(refused)
        flash = over is not None and over[0] == "flash"
        applies = {
            "trade": self._slower() != self.own,
            "page": self.wish.device.storage is not None and not self.own.trade.page,
            "accumulate": self.own.micro_batch > 1,
            "state": self._compact != self.own.optimizer,
            "batch": self.own.batch > self.own.accumulate,
            "optimizer": bool(self.own.optimizer.slots),
            "norms": self._folds,
            "update": True,
        }
        kinds = [k for k in KINDS if applies[k] and not (flash and k in SMALLER)]
        for count in range(1, len(kinds) + 1):
            sets = map(frozenset, combinations(kinds, count))
            yield from (s for s in sets if not any(s >= never for never in NEVER))

    @property
    def _folds(self) -> bool:
        """Whether batch norms that are frozen may be folded instead."""
        captured = self.attempts.captured(self.own.micro_batch, self.own.norms)
        return self.own.norms == "frozen" and captured is not None and captured.batch_norms > 0

    @property
    def _plain(self) -> Optimizer:
        return SGD(lr=self.own.optimizer.lr)

    @property
    def _compact(self) -> Optimizer:
        """The same with its state in 8 bits; itself if it has none, or is of a kind that cannot."""
        own = self.own.optimizer
        if isinstance(own, SGD | Adam | RMSProp) and own.slots and own.state_dtype != "int8":
            return replace(own, state_dtype="int8")
        return own

    def _slower(self) -> Terms:
        trade = self.own.trade
        slowdown = max(SLOWDOWN, 2 * trade.slowdown) if trade.recompute else max(SLOWDOWN, trade.slowdown)
        return replace(self.own, trade=replace(trade, recompute=True, slowdown=slowdown))

    def least(self) -> tuple[Plan, Terms] | None:
        """A plan that fits with as much given up as this search can give, and its terms; where there is none, the one
        that strains its budget least."""
        for batch in dict.fromkeys((1, self.own.batch)):
            tried = self._tried(batch, self.own.norms)
            folded = self._tried(batch, "folded") if self._folds else []
            for some in filter(None, (tried, folded)):
                for terms in (*some, *(replace(t, trade=self._slower().trade) for t in some)):
                    plan = self.attempts.fitting(terms)
                    if plan is not None:
                        return plan, terms
            trade = replace(self.own.trade, least=True)
            tried = [t for t in folded if self.attempts.draft(t) is not None] or tried
            if all(map(self.attempts.hopeless, tried)):  # a number to tell, found quickly: nothing fits
                trade = replace(trade, recompute=False, page=False)
            found = [(plan, t) for t in tried if (plan := self.attempts.plan(replace(t, trade=trade))) is not None]
            if found:  # a larger batch strains more
                plan, terms = min(found, key=lambda f: _strain(f[0]))
                return plan, replace(terms, trade=trade) if fits(plan) else terms
        return None

    def _tried(self, batch: int, norms: str) -> list[Terms]:
        """What is asked for, and the least that can learn, at ``batch`` samples without an optimiser's state."""
        optimizer = self._plain if self.own.optimizer.slots else self.own.optimizer
        accumulate = self.own.accumulate if batch == self.own.batch else 1
        terms = replace(self.own, batch=batch, optimizer=optimizer, norms=norms, accumulate=accumulate)
        return [replace(terms, update=update) for update in dict.fromkeys((self.own.update, "last:1", "bias"))]

    def together(self) -> tuple[Terms, Plan] | None:
        """The most that learns on a batch of 1 with plain SGD and folded norms, and its plan; then without each of the
        three that it fits without. None if nothing fits so."""
        own = self.own
        terms = self._tried(1, "folded" if self._folds else own.norms)[0]
        plan = self.attempts.fitting(terms)
        found = (terms, plan) if plan is not None else self._most_updates(terms)
        if found is None:
            return None
        parts = own.batch if own.micro_batch > 1 else own.accumulate
        for kept in (
            [{"norms": own.norms}],
            [{"optimizer": own.optimizer}, {"optimizer": self._compact}],
            [{"batch": own.batch, "accumulate": n} for n in dict.fromkeys((own.accumulate, parts))],
        ):
            for change in kept:
                tried = replace(found[0], **change)
                plan = None if tried == found[0] else self.attempts.fitting(tried)
                if plan is not None:
                    found = tried, plan
                    break
        if found[0].update == own.update and found[0].batch < own.batch:
            return self._largest_batch(found[0]) or found
        return found

    def change(self, kinds: frozenset[str]) -> tuple[Terms, Plan] | None:
        """Terms that differ in just ``kinds`` and fit, and their plan; the batch or the update at the most that
        fits."""
        terms = self._slower() if "trade" in kinds else self.own
        if "page" in kinds:
            terms = replace(terms, trade=replace(terms.trade, page=True))
        if "optimizer" in kinds:
            terms = replace(terms, optimizer=self._plain)
        if "state" in kinds:
            terms = replace(terms, optimizer=self._compact)
        if "norms" in kinds:
            terms = replace(terms, norms="folded")
        if "update" in kinds:
            if "batch" in kinds:
                terms = replace(terms, batch=1, accumulate=1)
            elif "accumulate" in kinds:
                terms = replace(terms, accumulate=self.own.batch)
            return self._most_updates(terms)
        if "accumulate" in kinds:
            return self._largest_micro_batch(terms)
        if "batch" in kinds:
            return self._largest_batch(terms)
        plan = self.attempts.fitting(terms)
        return None if plan is None else (terms, plan)

    def _largest_micro_batch(self, terms: Terms) -> tuple[Terms, Plan] | None:
        """The fewest micro-batches, of those that divide the batch, with which it fits: the arena grows with their
        size."""
        parts = [n for n in range(terms.accumulate + 1, self.own.batch + 1) if self.own.batch % n == 0]
        found: tuple[Terms, Plan] | None = None
        low, high = 0, len(parts)
        while low < high:
            middle = (low + high) // 2
            tried = replace(terms, accumulate=parts[middle])
            plan = self.attempts.fitting(tried)
            low, high = (low, middle) if plan else (middle + 1, high)
            found = (tried, plan) if plan else found
        return found

    def _largest_batch(self, terms: Terms) -> tuple[Terms, Plan] | None:
        """The arena is almost affine in the batch, so that a few probes find the largest that fits."""
        terms = replace(terms, batch=1, accumulate=1)
        first = self.attempts.fitting(terms)
        if first is None:
            return None
        found = terms, first
        low, high, guess = 1, self.own.batch, 2
        for _ in range(PROBES):
            if high - low <= 1 or not self.attempts.left:
                break
            guess = min(max(guess, low + 1), high - 1)
            made = self.attempts.plan(replace(terms, batch=guess))
            if made is None:
                break
            slope = max(1.0, (_plain_bytes(made) - _plain_bytes(first)) / (guess - 1))
            if fits(made):
                low, found = guess, (replace(terms, batch=guess), made)
            else:
                high = guess
            guess = 1 + int((self.wish.budget.ram - _plain_bytes(first)) / slope)
        return found

    def _most_updates(self, terms: Terms) -> tuple[Terms, Plan] | None:
        """The largest "last:K" that fits and is not what is asked for anyway; else "bias"; None if neither fits."""
        captured = self.attempts.captured(terms.micro_batch, terms.norms)
        if captured is None:
            return None
        now = select(captured, terms.update)
        low, high = 0, trained_layers(captured) + 1
        found: tuple[Terms, Plan] | None = None
        while high - low > 1:
            middle = (low + high) // 2
            tried = replace(terms, update=f"last:{middle}")
            plan = self.attempts.fitting(tried)
            low, high = (middle, high) if plan else (low, middle)
            found = (tried, plan) if plan else found
        if found is not None and select(captured, found[0].update) != now:
            return found
        tried = replace(terms, update="bias")
        plan = None if terms.update == "bias" else self.attempts.fitting(tried)
        return None if plan is None else (tried, plan)


def _kinds(terms: Terms, own: Terms) -> frozenset[str]:
    """The kinds of change that lead from ``own`` to ``terms``."""
    kinds = set(terms.apply(own))
    if "batch" in kinds:
        kinds.discard("accumulate")
    if "optimizer" in kinds and terms.optimizer.slots:
        kinds = kinds - {"optimizer"} | {"state"}
    return frozenset(kinds)


def spell(terms: Terms, own: Terms) -> str:
    """The changes from ``own`` to ``terms`` in words; "" if there are none."""
    parts = []
    if terms.batch != own.batch:
        parts.append(f"batch {terms.batch} instead of {own.batch}")
    if terms.trade.slowdown != own.trade.slowdown or terms.trade.recompute != own.trade.recompute:
        before = f" instead of {own.trade.slowdown:g}" if own.trade.recompute else ""
        parts.append(f"recomputing in up to {terms.trade.slowdown:g} x the time{before}")
    if terms.trade.page != own.trade.page:
        parts.append("paging to storage")
    if terms.trade.least != own.trade.least:
        parts.append("down to the fewest bytes (trade least)")
    if terms.accumulate != own.accumulate and terms.batch == own.batch:
        parts.append(f"accumulate {terms.accumulate} instead of {own.accumulate}")
    if terms.optimizer != own.optimizer and type(terms.optimizer) is type(own.optimizer) and terms.optimizer.slots:
        parts.append(f"state_dtype int8 instead of {own.optimizer.state_dtype}")
    elif terms.optimizer != own.optimizer:
        name = type(own.optimizer).__name__
        parts.append(f"plain SGD instead of {name}" + (" with momentum" if name == "SGD" else ""))
    if terms.norms != own.norms:
        parts.append(f"norms {terms.norms} instead of {own.norms}")
    if terms.update != own.update:
        parts.append(f"update {terms.update} instead of {own.update}")
    return " and ".join(filter(None, (", ".join(parts[:-1]), *parts[-1:])))


def _priced(terms: Terms, plan: Plan, own: Terms, refused: Plan, automatic: bool) -> Change:
    step, before = plan.cost, refused.cost
    memory = plan.arrangement.memory
    whole = learnt(refused)
    samples = terms.batch / own.batch
    return Change(
        spell(terms, own),
        {**terms.apply(own), **({"update": terms.update, "contribution": None} if automatic else {})},
        memory.arena,
        memory.flash,
        terms.batch,
        step.seconds,
        step.joules,
        learnt(plan),
        max(0.0, 1 - learnt(plan) / whole) if whole else 0.0,
        _factor(step.seconds, before.seconds, samples),
        _factor(step.joules, before.joules, samples),
    )


def _factor(now: float | None, before: float | None, samples: float) -> float | None:
    return now / samples / before if now is not None and before else None


def _plain_bytes(plan: Plan) -> int:
    """The arena with nothing made again or paged: that grows evenly with the batch."""
    programs = plan.arrangement.programs.values()
    return plan.persistent_bytes + max(p.saved.plain_bytes if p.saved else p.transient_bytes for p in programs)


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
