"""A life as it is seen in a terminal while it goes on."""

from __future__ import annotations

from rich.table import Table

from ..device.sizes import format_bytes
from ..learn.live import Live, Round
from .figures import joules, percent
from .screen import Screen

TOLD = 6  # lines of the diary that are shown


class View(Screen):
    def __init__(self, name: str, budget: int, silent: bool = False) -> None:
        super().__init__(silent)
        self._name, self._budget = name, budget

    def at(self, life: Live, made: Round) -> None:
        """A round has ended."""
        if self.due:
            self.draw(picture(self._name, self._budget, life, made, self._notes))


def picture(name: str, budget: int, life: Live, made: Round, notes: list[str]) -> Table:
    """A table of all figures."""
    learner, point, counts = life.learner, made.point, life.learner.diary.counts
    table = Table.grid(padding=(0, 2))
    table.add_row("stream", f"{name}: {point.seen:,} samples")
    if learner.kind == "CrossEntropy":
        table.add_row("right", f"{percent(point.merit)} in all, {percent(point.lately)} of the last 200")
    table.add_row("loss", f"{point.loss:.4g}")
    watched = ", ".join(learner.detectors) or "not watched"
    table.add_row("drift", f"{counts.get('drift', 0)} found ({watched})")
    if learner.asks is not None:
        table.add_row("asks", f"for {learner.asks}")
    told = f"{made.commits:,} committed, {counts.get('refused', 0):,} refused, {counts.get('dropped', 0):,} dropped"
    table.add_row("learning", f"{told}, {made.steps:,} updates")
    total = sum(life.bytes.values())
    parts = ", ".join(f"{n} {format_bytes(b)}" for n, b in sorted(life.bytes.items(), key=lambda p: -p[1])[:4])
    table.add_row("RAM", f"{format_bytes(total)}{f' of {format_bytes(budget)}' if budget else ''}: {parts}")
    if made.joules is not None:
        table.add_row("energy", f"{joules(made.joules)} of the last day; {made.energy}")
    for entry in list(learner.diary)[-TOLD:]:
        table.add_row("", str(entry))
    for line in notes:
        table.add_row("!", line)
    return table
