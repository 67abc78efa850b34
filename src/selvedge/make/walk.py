"""The plans of a sweep, made from coarse to fine: plain, into the budget's RAM, and into smaller rooms."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from ..planning.trade import NOTHING
from .attempts import Attempts, Terms
from .plan import Plan
from .wish import Drafted


@dataclass(frozen=True, slots=True)
class Task:
    """A plan to make. room: as it is; into the budget's RAM; or into a share of the way from what no sequence can do
    without to the plain arena."""

    terms: Terms
    room: float | Literal["plain", "budget"]


def tasks_of(asked: Sequence[Terms], rooms: Sequence[float]) -> list[Task]:
    """From coarse to fine: what is plain comes soon, then what the budget makes of it, and the smaller rooms of what
    comes first well before its end."""
    ranked = [(float(i), Task(terms, "plain")) for i, terms in enumerate(asked)]
    ranked += [(0.5 + 2 * i, Task(terms, "budget")) for i, terms in enumerate(asked) if terms.trade != NOTHING]
    ranked += [(3.7 + 4 * i + 3 * j, Task(t, share)) for i, t in enumerate(asked) for j, share in enumerate(rooms)]
    return [task for _, task in sorted(ranked, key=lambda r: r[0])]


class Walk:
    """Makes the plans of tasks, keeping what later ones need."""

    def __init__(self, attempts: Attempts) -> None:
        self._attempts, self._ram = attempts, attempts.wish.budget.ram
        self._plain: dict[Terms, tuple[int, int]] = {}  # (least, plain) bytes where smaller rooms may be had
        self._larger: set[Terms] = set()  # of these, those that the budget makes something else of
        self._refused: set[Terms] = set()  # that cannot be had in its RAM
        self._had: dict[Terms, list[tuple[int, int]]] = {}  # (bytes of a plan, the room it was made for)
        self._longest = {True: 0.0, False: 0.0}

    def longest(self, task: Task) -> float:
        """Seconds of the longest of its kind so far."""
        return self._longest[task.room == "plain"] or self._longest[True]

    def planned(self, task: Task) -> Plan | None:
        """None where the model cannot be had so, not in so few bytes, or where another task has the same."""
        begun = time.perf_counter()
        if task.room == "plain":
            made = self._whole(task.terms)
        else:
            made = self._kept(task.terms) if task.room == "budget" else self._smaller(task.terms, task.room)
        took = time.perf_counter() - begun
        self._longest[task.room == "plain"] = max(took, self._longest[task.room == "plain"])
        return made

    def _whole(self, terms: Terms) -> Plan | None:
        plain = replace(terms, trade=NOTHING)
        made, found = self._attempts.plan(plain), self._attempts.draft(plain)
        if made is not None and found is not None:
            self._plain[terms] = (_least(terms, found), made.arena_bytes)
            if terms.trade.least or made.arena_bytes > self._ram:
                self._larger.add(terms)
        return made

    def _kept(self, terms: Terms) -> Plan | None:
        """What ``sv.plan`` makes of ``terms``, where that is not the plain plan."""
        if terms not in self._larger:
            return None
        made = None if self._attempts.hopeless(terms) else self._attempts.plan(terms)
        if made is not None and made.arena_bytes <= self._ram:
            self._had.setdefault(terms, []).append((made.arena_bytes, self._ram))
            return made
        self._refused.add(terms)
        return None

    def _smaller(self, terms: Terms, share: float) -> Plan | None:
        if terms not in self._plain:
            return None
        least, plain = self._plain[terms]
        room = least + int(share * (plain - least))
        had = self._had.setdefault(terms, [])
        if any(arena <= room <= larger for arena, larger in had):
            return None  # that plan again
        made = None if terms in self._refused and room <= self._ram else self._attempts.plan(terms, room)
        if made is not None and made.arena_bytes <= room:
            had.append((made.arena_bytes, room))
            if made.arena_bytes <= self._ram < room and terms not in self._refused:  # the budget gives up no more
                return None if any(larger == self._ram for _, larger in had) else self._kept(terms)
            return made
        del self._plain[terms]  # a smaller room is harder still
        self._attempts.forget(terms)
        return None


def _least(terms: Terms, found: Drafted) -> int:
    """Bytes that no plan on these terms can do without: by rows or by channels, fewer than a kernel's operands do."""
    divides = terms.trade.stream or (terms.trade.channels and terms.trade.recompute)
    return found.draft.floor if divides else found.draft.least
