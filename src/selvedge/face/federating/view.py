"""A run as it is seen in a terminal while it goes on."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.live import Live as Screen
from rich.table import Table

from ...device.sizes import format_bytes
from ..figures import joules, percent
from .clock import span
from .report import Report

OFTEN = 0.2  # seconds between two pictures
TOLD = 4  # lines of notes that are shown


class View:
    """On stderr, if that is a terminal; else nothing. Use it in a ``with`` block, which leaves the screen as it was."""

    def __init__(self, silent: bool = False) -> None:
        console = Console(file=sys.stderr)
        self._screen = Screen(console=console, auto_refresh=False, transient=True)
        self._shown, self._drawn = not silent and console.is_terminal, 0.0
        self._notes: list[str] = []

    def __enter__(self) -> Self:
        if self._shown:
            self._screen.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._shown:
            self._screen.stop()

    @property
    def due(self) -> bool:
        """Whether another picture may be drawn: making a report takes time too."""
        return self._shown and time.monotonic() - self._drawn >= OFTEN

    def note(self, line: str) -> None:
        """Something that the person should see."""
        self._notes = [*self._notes, line][-TOLD:]

    def at(self, report: Report) -> None:
        self._drawn = time.monotonic()
        self._screen.update(picture(report, self._notes), refresh=True)


def picture(report: Report, notes: list[str]) -> Table:
    """A table of all figures."""
    course, last, told = report.course, report.last, report.told
    table = Table.grid(padding=(0, 2))
    table.add_row("run", f"{report.name}: {report.phase}")
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
