"""Members that end the rounds of their groups: who they are, by what was signed, and who is left out for it.

Of a lie that a member has signed - a round key that comes back - the server has the proof. Of seeds whose shares do not
give back what was committed to it has none: several who lie about the shares that they were given can make it look so,
of as few others as might lie themselves. Of shares that cannot be opened it has the word of those they were for, which
may be false: so of two that quarrel one goes. That is who has most quarrels: a member that ends a round by bad shares
has as many as it took, each of its victims one. A quarrel of two who have no other costs a round but the one that
speaks of it, and of the two it may be either: both stay.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

SEVERAL = 2  # others with whom one quarrels, for which it goes
TWICE = 2  # times that shares of a member give nothing where all who were there had to be right


@dataclass
class Blame:
    """``lies``: member -> what it has signed, for people. ``quarrels``: (who, of whom). ``doubts``: member -> how often
    its shares gave nothing where one more could not be asked."""

    lies: dict[str, str] = field(default_factory=dict)
    quarrels: set[tuple[str, str]] = field(default_factory=set)
    doubts: dict[str, int] = field(default_factory=dict)

    def lied(self, member: str, how: str) -> None:
        self.lies.setdefault(member, how)

    def accused(self, by: str, member: str) -> None:
        if by != member:
            self.quarrels.add((by, member))

    def doubted(self, member: str, how: str) -> None:
        self.doubts[member] = self.doubts.get(member, 0) + 1
        if self.doubts[member] >= TWICE:
            self.lied(member, how)

    def out(self) -> dict[str, str]:
        """Who is asked no more, and why: first those who have lied, then those who quarrel, the worst first."""
        found = dict(self.lies)
        left = {q for q in self.quarrels if not set(q) & set(found)}
        while left:
            others: dict[str, set[str]] = {}
            said: dict[str, list[str]] = {}  # by whom
            spoke: dict[str, int] = {}  # of how many
            for by, member in sorted(left):
                others.setdefault(by, set()).add(member)
                others.setdefault(member, set()).add(by)
                said.setdefault(member, []).append(by)
                spoke[by] = spoke.get(by, 0) + 1
            # Among equals the one that speaks of most: who accuses one after the other gains nothing by that.
            worst = max(others, key=lambda name: (len(others[name]), spoke.get(name, 0), name))
            if len(others[worst]) < SEVERAL:
                break
            whose = said.get(worst, [])
            if len(whose) >= spoke.get(worst, 0):
                found[worst] = f"{', '.join(whose[:8])} could not use what it sent" + ", and more" * (len(whose) > 8)
            else:
                found[worst] = f"it says of {spoke[worst]} others that it could not use what they sent"
            left = {q for q in left if worst not in q}
        return found

    def state(self) -> dict[str, Any]:
        """As JSON has it; :meth:`of` reads it."""
        return {"lies": self.lies, "quarrels": sorted(map(list, self.quarrels)), "doubts": self.doubts}

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> Blame:
        return cls(dict(given["lies"]), {(by, member) for by, member in given["quarrels"]}, dict(given["doubts"]))
