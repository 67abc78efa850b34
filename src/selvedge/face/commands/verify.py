"""``selvedge verify``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from . import options


def command(
    artifact: Annotated[Path, typer.Argument(help="A folder that emit --target onnx has written.")],
    seed: options.Seed = 0,
    as_json: options.Json = False,
) -> None:
    """Every operator of an artifact's programs in its runtime beside a reference: where the first difference is.

    Each is fed what the runtime computed for it. Exit code 2 where one differs by more than rounding.
    """
    from ...make.verify import verify

    found = verify(artifact, seed)
    typer.echo(json.dumps([v.to_dict() for v in found], indent=1) if as_json else "\n".join(map(str, found)))
    if any(v.first is not None for v in found):
        raise typer.Exit(2)
