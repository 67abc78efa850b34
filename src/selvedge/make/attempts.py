"""Plans of one wish with some of its terms changed: captures, drafts and plans are made once and shared."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from ..capture import Captured
from ..capture.optimizer import Optimizer
from ..errors import InvalidInput, NotSupported
from ..planning.trade import Trade
from .batch import batched, rows
from .learnable import captured
from .limits import fits
from .sizes import bounded
from .wish import Drafted, Wish, drafted

if TYPE_CHECKING:
    from .plan import Plan

Attempt = Callable[[Wish, Captured, Drafted], "Plan"]

# Units of work, about 10 us of one core each: a node of a draft; a kernel of a plan, and beside it the square of
# a program's kernels, for an order of them is searched for; that of one that was to be made smaller, whether or not it
# could. Counted, not timed: what is found must not depend on the machine.
NODE, KERNEL, LIGHTENED = 8, 100, 8


@dataclass(frozen=True, slots=True)
class Terms:
    """What may change of a wish."""

    batch: int
    optimizer: Optimizer
    update: str
    norms: str
    trade: Trade
    accumulate: int = 1

    @classmethod
    def of(cls, wish: Wish) -> Terms:
        return cls(rows(wish.example), wish.optimizer, wish.update, wish.norms, wish.trade, wish.accumulate)

    @property
    def micro_batch(self) -> int:
        return self.batch // self.accumulate

    def apply(self, own: Terms) -> dict[str, Any]:
        """The arguments of ``sv.plan`` that lead from ``own`` to these."""
        names = ("batch", "optimizer", "update", "norms", "trade", "accumulate")
        return {n: getattr(self, n) for n in names if getattr(self, n) != getattr(own, n)}


class Attempts:
    """``attempt``: the plan of a wish, whether it fits or not. ``most``: plans that may be made, and units of work that
    they and their drafts may take; the last may exceed them."""

    def __init__(
        self,
        wish: Wish,
        attempt: Attempt,
        captured: Captured | None = None,
        most: tuple[int, int] | None = None,
    ) -> None:
        self.wish, self.own, self.most, self.count, self.work = wish, Terms.of(wish), most, 0, 0
        self._attempt = attempt
        self._captures: dict[tuple[int, str], Captured | None] = {}
        self._drafts: dict[Terms, Drafted | None] = {}
        self._plans: dict[tuple[Terms, int], Plan | None] = {}
        if captured is not None:
            self._captures[self.own.micro_batch, self.own.norms] = captured

    @property
    def spent(self) -> float:
        """The share of the plans or of the work, whichever is larger, that is used up."""
        return 0.0 if self.most is None else max(self.count / self.most[0], self.work / self.most[1])

    @property
    def left(self) -> bool:
        """Whether another plan may be made."""
        return self.spent < 1

    def captured(self, batch: int, norms: str) -> Captured | None:
        """The model on a (micro-)batch of so many samples; None if it cannot be had so: its batch is fixed, say."""
        if (batch, norms) not in self._captures:
            self._captures[batch, norms] = None
            with suppress(InvalidInput, NotSupported):  # of one sample a variance, say, cannot be had
                self.capture(batch, norms)
        return self._captures[batch, norms]

    def capture(self, batch: int, norms: str) -> Captured:
        """The same, but it raises ``InvalidInput`` or ``NotSupported``."""
        made = self._captures.get((batch, norms))
        if made is None:
            made = self._captures[batch, norms] = captured(
                self.wish.model, self._example(batch), norms=norms, dropout=self.wish.dropout
            )
        return made

    def draft(self, terms: Terms) -> Drafted | None:
        """None if the model cannot be had on these terms."""
        key = replace(terms, trade=self.own.trade)
        if key not in self._drafts:
            self._drafts[key] = None
            captured = self.captured(terms.micro_batch, terms.norms)
            if captured is not None:
                with suppress(InvalidInput, NotSupported):  # a model without biases, say
                    made = self._drafts[key] = drafted(self.wished(terms), captured)
                    self.work += NODE * sum(1 for g in made.programs.graphs.values() for _ in g.nodes())
        return self._drafts[key]

    def forget(self, terms: Terms) -> None:
        """Let the draft and the plans of ``terms``, whatever their trade, go: they hold whole programs."""
        self._drafts.pop(replace(terms, trade=self.own.trade), None)
        for known in [k for k in self._plans if replace(k[0], trade=terms.trade) == terms]:
            del self._plans[known]

    def plan(self, terms: Terms, room: int | None = None) -> Plan | None:
        """``room``: bytes of RAM instead of the budget's. None if the model cannot be had on these terms, or no more
        plans may be made."""
        room = self.wish.budget.ram if room is None else room
        if (terms, room) not in self._plans:
            found = self.draft(terms) if self.left else None
            captured = self.captured(terms.micro_batch, terms.norms)
            if found is None or captured is None:
                return None
            self.count += 1
            wish = replace(self.wished(terms), budget=replace(self.wish.budget, ram=room))
            made = self._plans[terms, room] = self._attempt(wish, captured, found)
            self.work += work(made, room)
        return self._plans[terms, room]

    def known(self, terms: Terms) -> Plan | None:
        """The plan of ``terms`` if it was made before."""
        return self._plans.get((terms, self.wish.budget.ram))

    def hopeless(self, terms: Terms) -> bool:
        """Whether no trade can bring ``terms`` into the budget's RAM; also where the model cannot be had on them."""
        found, ram = self.draft(terms), self.wish.budget.ram
        return found is None or found.draft.persistent > ram or found.draft.floor > ram

    def fitting(self, terms: Terms) -> Plan | None:
        """The plan if it fits. What learns with the inputs, and then any kernel's own operands, are bounds that refuse
        it before it is ordered and placed."""
        ram = self.wish.budget.ram
        if not self.left:
            return None
        found = self.draft(terms)
        if found is None or self.hopeless(terms):
            return None
        trade = terms.trade  # by rows and by channels, fewer bytes than a kernel's own may do
        if not (trade.stream or (trade.channels and trade.recompute)) and found.draft.least > ram:
            return None
        made = self.plan(terms)
        return made if made is not None and fits(made) else None

    def _example(self, batch: int) -> Any:
        return self.wish.example if batch == self.own.batch else batched(self.wish.example, batch)

    def wished(self, terms: Terms) -> Wish:
        """The wish with ``terms``; of the sizes that its batch may have, those up to theirs."""
        example = self._example(terms.batch)
        dynamic = self.wish.dynamic
        if dynamic and terms.micro_batch != self.own.micro_batch:
            dynamic = bounded(dict(dynamic), (example[0][: terms.micro_batch],), fewer=True)
        return replace(
            self.wish, example=example, optimizer=terms.optimizer, update=terms.update, norms=terms.norms,
            trade=terms.trade, accumulate=terms.accumulate, dynamic=dynamic,
        )  # fmt: skip


def work(plan: Plan, room: int) -> int:
    """Units of work that ``plan`` took, for an arena of at most ``room`` bytes."""
    programs = plan.arrangement.programs.values()
    lightened = plan.arena_bytes > room or any(p.saved for p in programs)
    return sum(KERNEL * n + (LIGHTENED if lightened else 1) * n * n for n in (len(p.kernels) for p in programs))


def learnt(plan: Plan) -> int:
    """Parameters that learn."""
    return sum(plan.programs.learnt(n).size for n in plan.programs.updated)


def kept(plan: Plan, asked: Plan) -> int:
    """Parameters of those that learn in ``asked`` that learn in ``plan`` too. Parts of a weight are its first channels,
    so that the smaller of two lies in the other."""
    names = set(plan.programs.updated).intersection(asked.programs.updated)
    return sum(min(plan.programs.learnt(n).size, asked.programs.learnt(n).size) for n in names)


def learnt_share(plan: Plan, contribution: Mapping[str, float] | None = None) -> float:
    """The share of all trainable parameters that learn; with ``contribution`` (state name -> score), of their sum."""
    state, trainable = plan.captured.state, plan.captured.trainable
    scores = contribution or {n: float(state[n].size) for n in trainable}
    whole = sum(scores.values())
    learns = sum(scores.get(n, 0.0) * plan.programs.learnt(n).size / state[n].size for n in plan.programs.updated)
    return learns / whole if whole else 0.0
