"""A run as it is seen in a terminal while it goes on."""

from __future__ import annotations

from rich.table import Table

from ...device.sizes import format_bytes
from ..figures import joules, percent
from ..screen import Screen
from .clock import span
from .report import Report

TOLD = 4  # lines of notes that are shown


class View(Screen):
    def __init__(self, silent: bool = False) -> None:
        super().__init__(silent, TOLD)

    def at(self, report: Report) -> None:
        self.draw(picture(report, self._notes))


def picture(report: Report, notes: list[str]) -> Table:
    """A table of all figures."""
    course, last, told = report.course, report.last, report.told
    table = Table.grid(padding=(0, 2))
    table.add_row("run", f"{report.name}: {report.phase}{f' ({report.stage})' if report.stage else ''}")
    table.add_row("round", f"{last.version if last else 0} of {report.rounds}")
    if told is not None:
        table.add_row("held out", f"{'' if told[1] is None else f'{percent(told[1])} right, '}loss {told[0]:.4g}")
    table.add_row("bytes", f"{format_bytes(report.up)} up, {format_bytes(report.down)} down")
    taken = sum(seen.taken for seen in course.devices.values())
    table.add_row("devices", f"{report.known:,} known, {len(course.devices):,} asked")
    table.add_row("changes", f"{taken:,} counted, {course.lost:,} lost, {sum(report.refused.values()):,} refused")
    if last is not None:
        if report.world == "simulated":
            table.add_row("energy", f"{joules(last.joules)} of learning")
        table.add_row("virtual time" if report.world == "simulated" else "time", span(last.seconds))
    for text in notes:
        table.add_row("!", text)
    return table
