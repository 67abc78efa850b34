"""``selvedge doctor``."""

from __future__ import annotations

import json

import typer

from . import options


def command(as_json: options.Json = False) -> None:
    """What is installed, what is missing, and the line that installs it. Ends with 1 where the core does not work."""
    from ..checkup import checkup, table, to_dict, works
    from ..progress import working

    with working("looking at this machine"):
        found = checkup()
    typer.echo(json.dumps(to_dict(found), indent=1) if as_json else table(found))
    if not works(found):
        raise typer.Exit(1)
