"""``selvedge compare``."""

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
    budget: options.Budget = None,
    ways: Annotated[
        str | None,
        typer.Option(help="Some of them, as float,ptq,pruned+distilled+qat,narrow,efficient+ptq; by default all."),
    ] = None,
    epochs: Annotated[int, typer.Option(help="Of each way.")] = 20,
    seeds: Annotated[int, typer.Option(help="How many, from --seed on: of first weights and order.")] = 3,
    macs: Annotated[float, typer.Option(help="Share of multiplications that pruned and narrow networks keep.")] = 0.5,
    trained: Annotated[
        bool, typer.Option("--trained", help="MODEL is trained already; all ways that begin with it get --epochs more.")
    ] = False,
    efficient: Annotated[
        str | None,
        typer.Option(help="zoo:NAME or file.py:factory; by default a compact network of the zoo that fits the data."),
    ] = None,
    batch: Annotated[int, typer.Option(help="Samples of a step of training here.")] = 64,
    lr: Annotated[float, typer.Option(help="Adam's rate at first; a third of it in the second half.")] = 3e-3,
    samples: Annotated[int, typer.Option(help="Training samples that set int8 ranges, at most.")] = 256,
    work: Annotated[
        Path | None, typer.Option(help="A folder that keeps what is finished: the same line goes on after Ctrl-C.")
    ] = None,
    loss: options.Loss = None,
    shape: options.Shape = None,
    out: Annotated[
        Path | None, typer.Option(help="Write the first seed's networks into this folder, as .tflite or .onnx.")
    ] = None,
    seed: options.Seed = 0,
    plot: options.Plot = None,
    as_json: options.Json = False,
) -> None:
    """Make MODEL small in every way on your data - int8 after and in training, pruned, narrower, another architecture,
    taught, and together - and set them side by side: accuracy, file, RAM to run and to train, flash, time, energy.

    MODEL is zoo:NAME?key=value (random weights) or file.py:factory, which gives a module, trained with --trained.
    """
    from .. import early

    early.comparing(
        model=model, shape=shape, data=data, device=device, budget=budget, loss=loss, epochs=epochs, seeds=seeds,
        macs=macs, batch=batch, lr=lr, samples=samples, efficient=efficient, work=work, plot=plot, out=out,
    )  # fmt: skip

    from ..comparing import Order, compare

    order = Order(
        model, data, device, budget, None if ways is None else tuple(ways.split(",")), epochs, seeds, macs, trained,
        efficient, batch, lr, samples, work, loss, shape, out, seed, plot,
    )  # fmt: skip
    made = compare(order, bool(context.find_root().params["debug"]))
    typer.echo(json.dumps(made.to_dict(), indent=1, allow_nan=False) if as_json else str(made))
    if plot is not None and not as_json:
        typer.echo(f"the page with the pictures: {plot}")
