"""What a refused plan is told: up to three changes after which it fits, found by planning them, each with its price."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import replace
from itertools import combinations
from typing import TYPE_CHECKING

from ..capture import Captured, select
from ..capture.optimizer import SGD, Adam, Optimizer, RMSProp
from ..capture.select import trained_layers
from ..changes import Change
from ..errors import DoesNotFit, InvalidInput, NotSupported
from .attempts import Attempt, Attempts, Terms, kept, learnt, work
from .limits import excess, fits
from .widen import widened
from .wish import Wish

if TYPE_CHECKING:
    from .plan import Plan

MOST = 3  # changes that are told
PLANS = 30  # planned at most for one refusal,
WORK = 1_500_000  # with so many units of work: of a large network fewer plans are made
ENOUGH = 2 / 3  # and so much of either where something has been found already
PROBES = 8  # batches tried on the way to the largest that fits
SLOWDOWN = 4.0  # at least so many times the plain time may be taken to make values again
# From what gives up least to what gives up most: the same numbers more slowly; the same gradient in micro-batches; the
# same with the wear of storage; the optimiser's state in 8 bits; fewer samples behind a gradient; another path of
# descent; norms that no longer learn; fewer parameters that learn.
KINDS = ("trade", "accumulate", "page", "state", "batch", "optimizer", "norms", "update")
NEVER = (frozenset(("accumulate", "batch")), frozenset(("state", "optimizer")))  # both change the same
SLOW = frozenset(("trade", "page"))  # long to plan, and little more beside another change
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
    attempts = Attempts(wish, attempt, captured, (PLANS, WORK))
    search = _Search(attempts, refused)
    least = search.least()
    if least is None:
        return None, ()
    plan, terms = least
    if not fits(plan):
        return _room(plan, spell(terms, attempts.own, plan.arrangement.dtype)), ()
    found: dict[frozenset[str], tuple[Terms, Plan]] = {}
    together = False
    for kinds in search.ways():
        if len(found) == MOST or attempts.spent >= (ENOUGH if found else 1):
            break
        if not together and (len(kinds) > 1 or (search.dear and "update" in kinds)):
            together = True
            made = search.together() if all("update" in known for known in found) else None
            most = max((kept(p, refused) for _, p in found.values()), default=0)
            if made is not None and kept(made[1], refused) > most:
                found[_kinds(made[0], attempts.own)] = made
        within = [kept(p, refused) for known, (_, p) in found.items() if known <= kinds]
        if not within or ("update" in kinds and max(within) < learnt(refused)):
            made = search.change(kinds)
            if made is not None and kept(made[1], refused) > max(within, default=0):
                found[kinds] = made
    fitting = _at_every_size(found.values(), attempts, attempt)
    fitting = fitting or _at_every_size([(terms, plan)], attempts, attempt)
    told = [_priced(*made, attempts.own, refused, automatic) for made in fitting]
    told.sort(key=lambda change: change.gives_up)
    return told[0].text if told else None, tuple(told)


def _at_every_size(
    found: Iterable[tuple[Terms, Plan]], attempts: Attempts, attempt: Attempt
) -> list[tuple[Terms, Plan]]:
    """``found``, each planned with its smaller shapes too, which are more code; without those that then do not fit."""
    if not attempts.wish.dynamic:
        return list(found)
    fitting = []
    for terms, plan in found:
        captured = attempts.captured(terms.micro_batch, terms.norms)
        # Which sizes were asked for above a micro-batch is not known: a change to a larger one cannot be verified.
        if captured is None or terms.micro_batch > attempts.own.micro_batch:
            continue
        with suppress(DoesNotFit, InvalidInput, NotSupported):
            whole = widened(plan, attempts.wished(terms), captured, attempt)
            if fits(whole):
                fitting.append((terms, whole))
    return fitting


class _Search:
    def __init__(self, attempts: Attempts, refused: Plan) -> None:
        self.attempts, self.wish, self.own, self.refused = attempts, attempts.wish, attempts.own, refused
        over = excess(refused)
        self.flash = over is not None and over[0] == "flash"
        self.dear = PLANS * work(refused, self.wish.budget.ram) > WORK  # not all can be tried: what is likely first

    def ways(self) -> Iterator[frozenset[str]]:
        """Sets of kinds of change that apply here, the smallest first."""
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
        kinds = [k for k in KINDS if applies[k] and not (self.flash and k in SMALLER)]
        for count in range(1, len(kinds) + 1):
            sets = [frozenset(c) for c in combinations(kinds, count)]
            if self.dear:
                sets.sort(key=lambda s: bool(s & SLOW))
            yield from (s for s in sets if not any(s >= never for never in NEVER))

    @property
    def _folds(self) -> bool:
        """Whether batch norms that are frozen may be folded instead."""
        captured = self.attempts.captured(self.own.micro_batch, self.own.norms)
        if self.own.norms != "frozen" or captured is None or not captured.batch_norms:
            return False
        folded = self.attempts.captured(self.own.micro_batch, "folded")
        return folded is not None and bool(folded.folds)

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
        for batch in (self.own.batch,) if self.flash else dict.fromkeys((1, self.own.batch)):
            tried = self._tried(batch, self.own.norms)
            folded = self._tried(batch, "folded") if self._folds else []
            for some in filter(None, (tried, folded)):
                slower = [] if self.flash else [replace(t, trade=self._slower().trade) for t in some]
                for terms in (*some, *slower):
                    # What is left is for the number to tell, where nothing fits.
                    plan = self.attempts.fitting(terms) if self.attempts.spent < 1 / 2 else None
                    if plan is not None:
                        return plan, terms
            trade = replace(self.own.trade, least=not self.flash or self.own.trade.least)
            tried = [t for t in folded if self.attempts.draft(t) is not None] or tried
            if self.attempts.spent >= 1 / 2 or all(map(self.attempts.hopeless, tried)):  # a number, found quickly
                trade = replace(trade, recompute=False, page=False)
            found = [(plan, t) for t in tried if (plan := self.attempts.plan(replace(t, trade=trade))) is not None]
            # What keeps the bytes may break the time alone, which the fewest bytes take the most of.
            found += [(plan, t) for t in tried if (plan := self.attempts.known(t)) is not None]
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
        for choices in (
            [{"norms": own.norms}],
            [{"optimizer": own.optimizer}, {"optimizer": self._compact}],
            [{"batch": own.batch, "accumulate": n} for n in dict.fromkeys((own.accumulate, parts))],
        ):
            for change in choices:
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
        """The largest "last:K" that fits, holds some of what is asked for, and is not just that; else "bias"; None if
        neither fits."""
        captured = self.attempts.captured(terms.micro_batch, terms.norms)
        if captured is None:
            return None
        now = select(captured, terms.update)
        asked, high = set(self.refused.programs.updated), trained_layers(captured) + 1
        low = next((k for k in range(high - 1) if asked.intersection(select(captured, f"last:{k + 1}"))), high - 1)
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


def spell(terms: Terms, own: Terms, dtype: str) -> str:
    """The changes from ``own`` to ``terms`` in words; "" if there are none. dtype: of the parameters."""
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
        parts.append(f"state_dtype int8 instead of {own.optimizer.state_dtype or dtype}")
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
        spell(terms, own, refused.arrangement.dtype),
        {**terms.apply(own), **({"update": terms.update, "contribution": None} if automatic else {})},
        memory.arena,
        memory.flash,
        terms.batch,
        step.seconds,
        step.joules,
        learnt(plan),
        1 - kept(plan, refused) / whole if whole else 0.0,
        _factor(step.seconds, before.seconds, samples),
        _factor(step.joules, before.joules, samples),
    )


def _factor(now: float | None, before: float | None, samples: float) -> float | None:
    return now / samples / before if now is not None and before else None


def _plain_bytes(plan: Plan) -> int:
    """The arena with nothing made again or paged: that grows evenly with the batch."""
    programs = plan.arrangement.programs.values()
    return plan.persistent_bytes + max(p.saved.plain_bytes if p.saved else p.transient_bytes for p in programs)


def _limits(plan: Plan) -> list[tuple[float, float | None, str]]:
    """(most, need, unit) of a step for each limit of time or energy."""
    step, budget = plan.cost, plan.budget
    limits = ((budget.latency_s, step.seconds, "s"), (budget.energy_j, step.joules, "J"))
    return [(most, need, unit) for most, need, unit in (*limits, (budget.energy_day_j, step.joules, "J")) if most]


def _strain(plan: Plan) -> float:
    """The largest share of RAM, flash, time or energy that ``plan`` needs."""
    memory, budget = plan.arrangement.memory, plan.budget
    shares = [need / most for most, need, _ in _limits(plan) if need is not None]
    return max(memory.arena / budget.ram, memory.flash / budget.flash if budget.flash else 0.0, *shares)


def _room(plan: Plan, change: str) -> str | None:
    """The bytes that ``plan`` needs beyond its budget, on the terms of ``change``; where it keeps those, the limit that
    it breaks. None where it has one of which the device has no figures."""
    memory, budget = plan.arrangement.memory, plan.budget
    sizes = [f"{memory.arena:,} B of RAM"] if memory.arena > budget.ram else []
    if budget.flash is not None and memory.flash > budget.flash:
        sizes.append(f"{memory.flash:,} B of flash")
    if sizes:
        return " and ".join(sizes) + (f" with {change}" if change else "")
    for most, need, unit in _limits(plan):
        if need is not None and need > most:
            return f"none, nothing that was tried keeps {most:g} {unit} a step; the least needs {need:.3g} {unit}"
    return None
