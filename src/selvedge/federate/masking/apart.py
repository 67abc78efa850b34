"""Two sums that differ by one member are that member's values: a member does not help with the second."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from itertools import combinations
from typing import Any

from ..message import Refused
from . import wire
from .member import Member
from .past import NONE
from .ring import IntVector
from .terms import Terms
from .wire import Span

APART = 2  # members, unless it is said otherwise
SUMS = 8  # that are remembered


def resting(members: Collection[str], earlier: Iterable[Collection[str]], same: bool = True) -> tuple[str, ...]:
    """The fewest of ``members`` who are to be missing in a sum of theirs, so that it is not too near any of
    ``earlier``, the members of other sums of one model: all of them would refuse it. So it is where :data:`APART` of
    an earlier one are missing, whoever else gets lost; or, if ``same``, where all are the same and nobody does. Where
    no :data:`APART` of them do, nobody."""
    present, ordered = frozenset(members), sorted(members)
    sums = [(one, len(one - present)) for one in map(frozenset, earlier)]

    def far(chosen: tuple[str, ...]) -> bool:
        for one, missing in sums:
            rest = sum(name in one for name in chosen)
            if missing + rest < APART and not (same and not missing + rest and len(one) == len(ordered) - len(chosen)):
                return False
        return True

    return next((c for n in range(APART + 1) for c in combinations(ordered, n) if far(c)), ())


class Apart:
    """``member``, which agrees to no sum of changes to a model from which an earlier one of the same model leaves fewer
    than ``apart`` members; of the same members again it does. apart: 1 is no condition.

    That is of two sums, and of models that are the same to the last bit: it keeps a round that was done again, or a
    server that repeats one, from telling single members apart. A server that sends another model gets past it, and
    three sums may tell what no two do: against these there is noise alone.
    """

    def __init__(self, member: Member, apart: int = APART) -> None:
        self._member, self._apart = member, apart
        self._sums: list[tuple[str, frozenset[str]]] = []  # (model, whose changes), of those that were unmasked

    def answer(
        self, stage: str, terms: Terms, ask: bytes, values: IntVector | None = None, spans: tuple[Span, ...] = (),
        past: bytes = NONE,
    ) -> bytes:  # fmt: skip
        """:meth:`Member.answer`. Raises ``Refused``, also for a sum that is too near another one."""
        alive: frozenset[str] | None = None
        if stage in ("consent", "unmask"):
            content = wire.body(ask, stage, terms, False)
            places = wire.set_of(content[: wire.set_size(terms)], terms)
            alive = frozenset(terms.cohort[place] for place in places)
            self._see(terms.model, alive)
        made = self._member.answer(stage, terms, ask, values, spans, past)
        if stage == "unmask" and alive is not None and (terms.model, alive) not in self._sums:
            self._sums = [*self._sums, (terms.model, alive)][-SUMS:]
        return made

    def carries(self, terms: Terms, ask: bytes) -> bool:
        """:meth:`Member.carries`."""
        return self._member.carries(terms, ask)

    def _see(self, model: str, alive: frozenset[str]) -> None:
        for other, before in self._sums:
            if other == model and 0 < len(before ^ alive) < self._apart:
                said = f"{len(before ^ alive)} members apart from an earlier one of this model"
                raise Refused(f"a sum {said}: {self._apart} are the least")

    def state(self) -> dict[str, Any]:
        return {**self._member.state(), "sums": [[model, sorted(alive)] for model, alive in self._sums]}

    def load(self, state: Mapping[str, Any]) -> None:
        """Raises ``Refused`` for what :meth:`state` did not make; nothing is changed then."""
        try:
            sums = [(str(model), frozenset(map(str, alive))) for model, alive in state["sums"]]
        except (KeyError, TypeError, ValueError):
            raise Refused("what is kept of sums cannot be read") from None
        self._member.load(state)
        self._sums = sums
