"""``selvedge verify``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from . import options


def command(
    context: typer.Context,
    artifact: Annotated[Path, typer.Argument(help="A folder that emit has written.")],
    beside: Annotated[
        Path | None, typer.Option("--beside", help="Another artifact of the same plan: compare both end to end.")
    ] = None,
    within: Annotated[float, typer.Option(help="What may differ end to end, of a result's largest number.")] = 1e-4,
    seed: options.Seed = 0,
    as_json: options.Json = False,
) -> None:
    """What an artifact's runtime computes beside a reference: where the first difference is.

    Of onnx and litert operator by operator, each fed what the runtime computed for it. Of every target with --beside
    end to end: predictions, losses, and the state after three steps. Exit code 2 where something differs by more than
    rounding.
    """
    from ...make.verify import verify
    from ..held import held

    with held(bool(context.find_root().params["debug"])):
        found = verify(artifact, seed, beside, within)
    typer.echo(json.dumps([v.to_dict() for v in found], indent=1) if as_json else "\n".join(map(str, found)))
    if any(v.first is not None for v in found):
        raise typer.Exit(2)
