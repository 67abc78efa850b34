"""Ctrl-C while something long runs, as the command line tells it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from .stopping import stopping


class Interrupted(click.exceptions.Abort):
    """``str()``: what was kept and how to go on. Ends the command with 130."""


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
