"""Progress of long work: a bar on stderr, if that is a terminal; else nothing."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn


class Work:
    """Named parts of some work, one after the other; use it in a ``with`` block, which clears the bar."""

    def __init__(self, silent: bool = False) -> None:
        console = Console(file=sys.stderr)
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=30),
            TextColumn("{task.fields[says]}"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=console,
            transient=True,
            disable=silent or not console.is_terminal,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self._part: TaskID | None = None

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._bar.stop()

    def part(self, name: str, total: int | None = None) -> None:
        """What is done now; ``total`` steps, or as long as it takes."""
        if self._part is not None:
            self._bar.remove_task(self._part)
        self._part = self._bar.add_task(name, total=total, says="")

    def at(self, done: int, says: str = "") -> None:
        """How far the part is."""
        if self._part is not None:
            self._bar.update(self._part, completed=done, says=says)


@contextmanager
def working(name: str, silent: bool = False) -> Iterator[Work]:
    """Work that begins with the part ``name``."""
    with Work(silent) as work:
        work.part(name)
        yield work
