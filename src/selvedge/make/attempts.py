"""Plans of one wish with some of its terms changed: captures, drafts and plans are made once and shared."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from ..capture import Captured, capture
from ..capture.optimizer import Optimizer
from ..errors import InvalidInput, NotSupported
from ..planning.trade import Trade
from .batch import batched, rows
from .limits import fits
from .wish import Drafted, Wish, drafted

if TYPE_CHECKING:
    from .plan import Plan

Attempt = Callable[[Wish, Captured, Drafted], "Plan"]


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
    """``attempt``: the plan of a wish, whether it fits or not. ``most``: plans that may be made."""

    def __init__(self, wish: Wish, attempt: Attempt, captured: Captured | None = None, most: int | None = None) -> None:
        self.wish, self.own, self.most, self.count = wish, Terms.of(wish), most, 0
        self._attempt = attempt
        self._captures: dict[tuple[int, str], Captured | None] = {}
        self._drafts: dict[Terms, Drafted | None] = {}
        self._plans: dict[tuple[Terms, int], Plan | None] = {}
        if captured is not None:
            self._captures[self.own.micro_batch, self.own.norms] = captured

    @property
    def left(self) -> bool:
        """Whether another plan may be made."""
        return self.most is None or self.count < self.most

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
            made = self._captures[batch, norms] = capture(
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
                    self._drafts[key] = drafted(self._wish(terms), captured)
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
            wish = replace(self._wish(terms), budget=replace(self.wish.budget, ram=room))
            self._plans[terms, room] = self._attempt(wish, captured, found)
        return self._plans[terms, room]

    def hopeless(self, terms: Terms) -> bool:
        """Whether no trade can bring ``terms`` into the budget's RAM; also where the model cannot be had on them."""
        found, ram = self.draft(terms), self.wish.budget.ram
        return found is None or found.draft.persistent > ram or found.draft.floor > ram

    def fitting(self, terms: Terms) -> Plan | None:
        """The plan if it fits. What learns with the inputs, and then any kernel's own operands, are bounds that refuse
        it before it is ordered and placed."""
        ram = self.wish.budget.ram
        found = self.draft(terms)
        if found is None or self.hopeless(terms) or not self.left:
            return None
        trade = terms.trade  # by rows and by channels, fewer bytes than a kernel's own may do
        if not (trade.stream or (trade.channels and trade.recompute)) and found.draft.least > ram:
            return None
        made = self.plan(terms)
        return made if made is not None and fits(made) else None

    def _example(self, batch: int) -> Any:
        return self.wish.example if batch == self.own.batch else batched(self.wish.example, batch)

    def _wish(self, terms: Terms) -> Wish:
        return replace(
            self.wish, example=self._example(terms.batch), optimizer=terms.optimizer, update=terms.update,
            norms=terms.norms, trade=terms.trade, accumulate=terms.accumulate,
        )  # fmt: skip


def learnt(plan: Plan) -> int:
    """Parameters that learn."""
    return sum(plan.programs.learnt(n).size for n in plan.programs.updated)


def learnt_share(plan: Plan, contribution: Mapping[str, float] | None = None) -> float:
    """The share of all trainable parameters that learn; with ``contribution`` (state name -> score), of their sum."""
    state, trainable = plan.captured.state, plan.captured.trainable
    scores = contribution or {n: float(state[n].size) for n in trainable}
    whole = sum(scores.values())
    learns = sum(scores.get(n, 0.0) * plan.programs.learnt(n).size / state[n].size for n in plan.programs.updated)
    return learns / whole if whole else 0.0
