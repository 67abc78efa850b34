"""A picture in the terminal that is drawn anew, and what a person should see beside it."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.live import Live
from rich.table import Table

OFTEN = 0.2  # seconds between two pictures


class Screen:
    """On stderr, if that is a terminal; else nothing. Use it in a ``with`` block, which leaves the screen as it was."""

    def __init__(self, silent: bool = False, notes: int = 3) -> None:
        """notes: how many are kept, the last ones."""
        console = Console(file=sys.stderr)
        self._screen = Live(console=console, auto_refresh=False, transient=True)
        self._shown = not silent and console.is_terminal
        self._notes: list[str] = []
        self._keep, self._drawn = notes, 0.0

    def __enter__(self) -> Self:
        if self._shown:
            self._screen.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._shown:
            self._screen.stop()

    def note(self, line: str) -> None:
        """Something that the person should see."""
        self._notes = [*self._notes, line][-self._keep :]

    @property
    def due(self) -> bool:
        """Whether another picture may be drawn: making one takes time too."""
        return self._shown and time.monotonic() - self._drawn >= OFTEN

    def draw(self, picture: Table) -> None:
        self._drawn = time.monotonic()
        self._screen.update(picture, refresh=True)
