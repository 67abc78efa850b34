"""Members that end the rounds of their groups: who they are, by what was signed, and who is left out for it.

Of a lie that a member has signed - a round key that comes back - the server has the proof. Of seeds whose shares do not
give back what was committed to it has none: several who lie about the shares that they were given can make it look so,
of as few others as might lie themselves. Of shares that cannot be opened it has the word of those they were for, which
may be false: so of two that quarrel one goes. That is who has most quarrels: a member that ends a round by bad shares
has as many as it took, each of its victims one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

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
        """Who is asked no more, and why."""
        found = dict(self.lies)
        left = {q for q in self.quarrels if not set(q) & set(found)}
        while left:
            count: dict[str, int] = {}
            said: dict[str, list[str]] = {}
            for by, member in sorted(left):
                count[by], count[member] = count.get(by, 0) + 1, count.get(member, 0) + 1
                said.setdefault(member, []).append(by)
            # Among equals the one that more have spoken of.
            worst = max(count, key=lambda name: (count[name], len(said.get(name, ())), name))
            if worst in said:
                whose = said[worst]
                found[worst] = f"{', '.join(whose[:8])} could not use what it sent" + ", and more" * (len(whose) > 8)
            else:
                found[worst] = f"it says of {count[worst]} others that it could not use what they sent"
            left = {q for q in left if worst not in q}
        return found

    def state(self) -> dict[str, Any]:
        """As JSON has it; :meth:`of` reads it."""
        return {"lies": self.lies, "quarrels": sorted(map(list, self.quarrels)), "doubts": self.doubts}

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> Blame:
        return cls(dict(given["lies"]), {(by, member) for by, member in given["quarrels"]}, dict(given["doubts"]))
