"""``selvedge predict``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from . import options


def command(
    artifact: Annotated[Path, typer.Argument(help="A folder that compile, train or plan --out has written.")],
    inputs: Annotated[list[Path], typer.Argument(help="Images, .wav, .csv, .npy or .npz files.")],
    top: Annotated[int, typer.Option(help="Classes to show, the most probable first.")] = 1,
    as_json: options.Json = False,
) -> None:
    """What a trained artifact says of files: labels and probabilities. Needs no torch.

    ARTIFACT is a folder that compile, train or plan --out has written; INPUTS are images, .wav, .csv, .npy or .npz.
    """
    from ..predicting import predict, table

    found = predict(artifact, inputs, top)
    typer.echo(json.dumps([f.to_dict() for f in found], indent=1) if as_json else table(found))
