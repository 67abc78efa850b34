"""``selvedge train``."""

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
    epochs: options.Epochs = 10,
    batch: Annotated[
        int | None, typer.Option(help="Samples a step; by default the largest micro-batch of 8 to 1.")
    ] = None,
    accumulate: options.Accumulate = 1,
    optimizer: options.UsualOptimizer = None,
    schedule: options.Schedule = "cosine",
    update: options.Update = "auto",
    contribution: options.Contribution = None,
    norms: options.Norms = "frozen",
    dropout: options.Dropout = None,
    loss: options.Loss = None,
    shape: options.Shape = None,
    patience: Annotated[int | None, typer.Option(help="Stop after so many epochs without a better one.")] = None,
    out: Annotated[Path | None, typer.Option(help="The artifact's folder; by default NAME-trained.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on where Ctrl-C, or worse, ended it.")] = False,
    seed: options.Seed = 0,
    plot: options.Plot = None,
    as_json: options.Json = False,
) -> None:
    """Train MODEL on your own data within a device's budget, and write what a device needs to go on.

    MODEL is zoo:NAME?key=value&key=value (options may be left out), file.py:factory, an exported model.pt2, or an .onnx
    file, whose float weights learn.

    Ctrl-C keeps what was learnt beside the folder; the same line with --resume goes on and ends the same.
    """
    from .. import early

    early.options(
        model=model, shape=shape, device=device, budget=budget, optimizer=optimizer, norms=norms, loss=loss,
        batch=batch, accumulate=accumulate, contribution=contribution,
        update=update,
    )  # fmt: skip
    early.training(data=data, loss=loss, epochs=epochs, schedule=schedule, plot=plot, out=out)

    from .. import optimizer as optimizers
    from ..training import Order, train

    order = Order(
        model=model,
        data=data,
        device=device,
        budget=budget,
        epochs=epochs,
        batch=batch,
        accumulate=accumulate,
        optimizer=None if optimizer is None else optimizers.parse(optimizer),
        schedule=schedule,
        update=update,
        contribution=contribution,
        norms=norms,
        dropout=dropout,
        loss=loss,
        shape=shape,
        patience=patience,
        out=out,
        resume=resume,
        seed=seed,
        plot=plot,
    )
    made = train(order, bool(context.find_root().params["debug"]))
    typer.echo(json.dumps(made.to_dict(), indent=1) if as_json else str(made))
