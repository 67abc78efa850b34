"""``selvedge targets``."""

from __future__ import annotations

import typer

from . import options


def command(as_json: options.Json = False) -> None:
    """The runtimes that a plan can be emitted for: what each can do, what is installed here, and the install line."""
    from ..runtimes import listing

    typer.echo(listing(as_json))
