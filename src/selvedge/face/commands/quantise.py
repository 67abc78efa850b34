"""``selvedge quantise``."""

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
    weights: Annotated[str, typer.Option(help="int8, or int4: steps -7..7, a byte each.")] = "int8",
    observer: Annotated[str, typer.Option(help="How ranges are found: minmax, percentile or mse.")] = "minmax",
    equalise: Annotated[bool, typer.Option("--equalise", help="Let neighbouring weights spread alike.")] = False,
    correct_bias: Annotated[bool, typer.Option("--correct-bias", help="Take off what layers' means shift by.")] = False,
    adaround: Annotated[bool, typer.Option("--adaround", help="Learn where to round each weight.")] = False,
    per_tensor: Annotated[bool, typer.Option("--per-tensor", help="One scale a weight, not one a channel.")] = False,
    bits: Annotated[Path | None, typer.Option(help="Bits by layer: what MixedBits.save wrote, edited or not.")] = None,
    float_layers: Annotated[
        list[str] | None, typer.Option("--float", help="A layer that stays float; may be given several times.")
    ] = None,
    allow_few: Annotated[bool, typer.Option("--allow-few", help="Take fewer than 32 samples for the ranges.")] = False,
    samples: Annotated[int, typer.Option(help="Training samples that set the ranges, at most.")] = 512,
    loss: options.Loss = None,
    shape: options.Shape = None,
    out: Annotated[
        Path | None, typer.Option(help="Write it here: a .tflite or .onnx file, or a folder for the device's C.")
    ] = None,
    form: Annotated[
        str, typer.Option(help="Of an .onnx file: qdq, or operators: a convolution in one node, fewer bytes.")
    ] = "qdq",
    seed: options.Seed = 0,
    plot: options.Plot = None,
    as_json: options.Json = False,
) -> None:
    """Make MODEL int8 and set it beside float in native code, on your data: accuracy, bytes, time, which layer hurts.

    MODEL is file.py:factory, which gives the trained model, or zoo:NAME?key=value (with random weights).
    """
    from .. import early

    early.quantising(
        model=model, shape=shape, data=data, device=device, budget=budget, loss=loss, samples=samples,
        weights=weights, observer=observer, plot=plot, out=out, form=form,
    )  # fmt: skip

    from ..quantising import Order, quantise

    settings = {
        "weights": weights, "observer": observer, "equalise": equalise, "correct_bias": correct_bias,
        "adaround": adaround, "per_tensor": per_tensor, "allow_few": allow_few,
    }  # fmt: skip
    order = Order(
        model,
        data,
        device,
        budget,
        loss,
        shape,
        settings,
        bits,
        tuple(float_layers or ()),
        samples,
        out,
        form,
        seed,
        plot,
    )
    made = quantise(order, bool(context.find_root().params["debug"]))
    typer.echo(json.dumps(made.to_dict(), indent=1, allow_nan=False) if as_json else str(made))
    if plot is not None and not as_json:
        typer.echo(f"the page with the layers: {plot}")
