"""Ctrl-C while something long runs: the first asks it to stop where it can be taken up again, the second ends it."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import click


class Interrupted(click.exceptions.Abort):
    """``str()``: what was kept and how to go on. Ends the command with 130."""


@contextmanager
def stopping() -> Iterator[Callable[[], bool]]:
    """A function that says whether the user has pressed Ctrl-C within the block."""
    asked = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield asked.is_set
        return

    def note(number: int, frame: FrameType | None) -> None:
        if asked.is_set():
            raise KeyboardInterrupt
        asked.set()

    before = signal.signal(signal.SIGINT, note)
    try:
        yield asked.is_set
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def heard() -> Iterator[Callable[[], None]]:
    """A function to call wherever the work may stop: once the user has pressed Ctrl-C it raises ``KeyboardInterrupt``
    there, and so does the end of the block. One that meets torch's own callbacks would be lost there."""
    with stopping() as stop:

        def here() -> None:
            if stop():
                raise KeyboardInterrupt

        yield here
        here()


@contextmanager
def resumable(work: Path | None, kept: str = "what is finished is") -> Iterator[None]:
    """Ctrl-C in the block is :class:`Interrupted`, with how to go on where the folder ``work`` keeps what there is."""
    try:
        yield
    except KeyboardInterrupt:
        if work is None:
            how = "nothing was kept; with --work FOLDER the same line goes on where it stopped"
        else:
            how = f"{kept} in {work}; the same line goes on from there"
        raise Interrupted(f"interrupted: {how}") from None
