"""``selvedge sparsify``."""

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
    sparsity: Annotated[float | None, typer.Option(help="Share of zeros, as 0.9; N:M patterns have their own.")] = None,
    pattern: Annotated[str, typer.Option(help="unstructured, or N:M as 2:4.")] = "unstructured",
    criterion: Annotated[str, typer.Option(help="magnitude, taylor, hessian or random.")] = "magnitude",
    rank: Annotated[str, typer.Option(help="layer: the same share of each; global: all compete.")] = "layer",
    keep: Annotated[
        list[str] | None, typer.Option("--keep", help="A layer, or a glob, that gets none; several times.")
    ] = None,
    steps: Annotated[int, typer.Option(help="In how many steps, with training behind each.")] = 1,
    finetune_epochs: Annotated[int, typer.Option(help="Epochs of training, over all steps.")] = 0,
    rate: Annotated[float, typer.Option(help="Of Adam, while it trains.")] = 1e-3,
    for_speed: Annotated[bool, typer.Option("--for-speed", help="Refuse unless it is faster than dense.")] = False,
    for_bytes: Annotated[bool, typer.Option("--for-bytes", help="Every layer sparse that is smaller so.")] = False,
    work: Annotated[
        Path | None, typer.Option(help="A folder that keeps each epoch: the same line goes on after Ctrl-C.")
    ] = None,
    loss: options.Loss = None,
    shape: options.Shape = None,
    out: Annotated[
        Path | None, typer.Option(help="Write it here: the state dict as a .pt file, or a folder for the device's C.")
    ] = None,
    seed: options.Seed = 0,
    as_json: options.Json = False,
) -> None:
    """Set weights of MODEL to zero and set it beside dense in native code, on your data: accuracy, bytes, time.

    MODEL is file.py:factory, which gives the trained model, or zoo:NAME?key=value (with random weights).
    """
    from .. import early

    early.sparsifying(
        model=model, shape=shape, data=data, device=device, budget=budget, loss=loss, steps=steps,
        epochs=finetune_epochs, rate=rate, for_speed=for_speed, for_bytes=for_bytes, work=work, out=out,
    )  # fmt: skip

    from ..sparsifying import Order, sparsify

    settings = {
        "sparsity": sparsity, "pattern": pattern, "criterion": criterion, "rank": rank, "keep": tuple(keep or ()),
        "steps": steps,
    }  # fmt: skip
    how = "for_speed" if for_speed else "for_bytes" if for_bytes else "auto"
    order = Order(model, data, device, budget, loss, shape, settings, finetune_epochs, rate, how, work, out, seed)
    made = sparsify(order, bool(context.find_root().params["debug"]))
    typer.echo(json.dumps(made.to_dict(), indent=1, allow_nan=False) if as_json else str(made))
