"""``selvedge inspect``."""

from __future__ import annotations

import json

import typer

from . import options


def command(
    context: typer.Context,
    model: options.Model,
    shape: options.Shape = None,
    loss: options.Loss = None,
    seed: options.Seed = 0,
    plot: options.Plot = None,
    as_json: options.Json = False,
) -> None:
    """Look into MODEL: layers, parameters, shapes, MACs, what can be trained, and what is missing, with its line.

    MODEL is zoo:NAME?key=value&key=value (options may be left out), file.py:factory, or an exported model.pt2. Of a
    .tflite or .onnx file: its rows as it predicts.
    """
    from .. import network_file

    if network_file.is_one(model):
        network_file.refuse({"--input": shape, "--loss": loss, "--plot": plot})
        typer.echo(network_file.inspected(network_file.load(model), as_json))
        return
    from .. import model as models
    from .. import place
    from ..held import held
    from ..inspection import inspect
    from ..progress import Work

    if plot is not None:
        place.page(plot)
    with Work() as work, held(bool(context.find_root().params["debug"])):
        work.part("capturing")
        named = models.load(model, shape, seed)
        found = inspect(named)
        if plot is not None:
            work.part("drawing")
            from ..unlimited import picture

            picture(named, loss, plot)
    typer.echo(json.dumps(found.to_dict(), indent=1) if as_json else str(found))
