"""``selvedge compress``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from . import options


def command(
    context: typer.Context,
    model: options.Model,
    data: options.Data,
    device: options.Device = "this-machine",
    budget: Annotated[
        str | None,
        typer.Option(help="Limits, as run=64KiB,train=128KiB,flash=512KiB,latency=20ms,energy=1mJ,accuracy=0.9."),
    ] = None,
    epochs: options.Epochs = 30,
    lr: Annotated[float, typer.Option(help="Of Adam, where it is highest.")] = 3e-3,
    learn: Annotated[int, typer.Option(help="Samples that each candidate learns of a person on the device.")] = 600,
    judges: Annotated[int | None, typer.Option(help="People who judge; by default a fifth.")] = None,
    keep: Annotated[int, typer.Option(help="Architectures that are trained at all.")] = 8,
    finalists: Annotated[int, typer.Option(help="Architectures that are trained to the end.")] = 3,
    bits: Annotated[str, typer.Option(help="float, int8, or both with a comma between.")] = "float,int8",
    distil: Annotated[bool, typer.Option(help="Train the finalists with a teacher too.")] = True,
    shape: options.Shape = None,
    work: Annotated[
        Path | None, typer.Option(help="A folder that keeps what was found; the call goes on there.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Write the best one's C here.")] = None,
    seed: options.Seed = 0,
    plot: options.Plot = None,
    as_json: options.Json = False,
) -> None:
    """Search what runs and trains within one budget and is most accurate after it has learned from a new person.

    MODEL is zoo:NAME, whose widths, depths and resolutions are searched, or file.py:factory, which gives a trained
    model that is pruned to several sizes. Data with groups says whose each sample is.
    """
    from .. import early

    early.searching(
        model=model, shape=shape, data=data, device=device, epochs=epochs, lr=lr, learn=learn, judges=judges, keep=keep,
        finalists=finalists, bits=bits, work=work, out=out, plot=plot,
    )  # fmt: skip

    from ..searching import Order, search

    order = Order(
        model, data, device, budget, shape, epochs, lr, learn, judges, keep, finalists, tuple(bits.split(",")), distil,
        work, out, seed, plot,
    )  # fmt: skip
    made = search(order, bool(context.find_root().params["debug"]))
    typer.echo(json.dumps(made.to_dict(), indent=1, allow_nan=False) if as_json else str(made))
    if plot is not None and not as_json:
        typer.echo(f"the page with all candidates: {plot}")
