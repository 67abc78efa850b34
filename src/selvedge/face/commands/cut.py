"""``selvedge cut``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from . import options


def command(
    context: typer.Context,
    model: options.Model,
    device: options.Device = "this-machine",
    budget: options.Budget = None,
    update: options.Update = "last:1",
    target: Annotated[str, typer.Option(help="Which runtime has the delegate: see selvedge targets.")] = "executorch",
    batch: Annotated[int | None, typer.Option(help="Samples a step; by default the example's.")] = None,
    optimizer: options.Optimizer = "sgd",
    loss: options.Loss = None,
    shape: options.Shape = None,
    name: Annotated[str | None, typer.Option(help="Of the artifacts' files.")] = None,
    out: Annotated[Path | None, typer.Option(help="Write both parts here: frozen/ and tail/.")] = None,
    seed: options.Seed = 0,
    as_json: options.Json = False,
) -> None:
    """Cut a plan in two: what is frozen, for an accelerator, and what learns, for our own code; and what that saves.

    MODEL is zoo:NAME?key=value&key=value, file.py:factory, an exported model.pt2, or a .tflite or .onnx file. With
    --out both parts are written; sv.load_cut runs them as one session.
    """
    from ...artifact import targets
    from .. import early, network_file
    from ..place import writable_cut

    if out is not None:
        writable_cut("--out", out)
    targets.require(target, "float", to_run=False)
    file = network_file.is_one(model)
    early.options(
        model=model, shape=shape, device=device, budget=budget, optimizer=optimizer, norms="frozen", loss=loss,
        batch=batch, accumulate=1, update=update, file=file,
    )  # fmt: skip

    from ...make.cut import cut, emit_cut
    from ...make.plan import plan as make_plan
    from .. import model as models
    from .. import optimizer as optimizers
    from ..held import held
    from ..progress import Work

    with Work(silent=as_json) as work:
        work.part("planning")
        with held(bool(context.find_root().params["debug"])):
            named = network_file.learnable(model, batch) if file else models.load(model, shape, seed)
            plan = make_plan(
                named.model, named.example, loss=loss or named.loss or "cross_entropy", device=device, budget=budget,
                optimizer=optimizers.parse(optimizer), update=update, batch=batch, name=name or named.name,
                on_progress=lambda plans: work.at(plans, f"{plans} made"),
            )  # fmt: skip
            made = cut(plan)
        if out is not None:
            work.part("writing")
            emit_cut(made, out, target)
    if as_json:
        typer.echo(json.dumps({**made.to_dict(), "target": target, "out": None if out is None else str(out)}, indent=1))
        return
    typer.echo(str(made))
    if out is not None:
        typer.echo(f"\nfrozen part for {target}: {out / 'frozen'}\nwhat learns, as C: {out / 'tail'}")
        typer.echo(f"next: sv.load_cut({str(out)!r}) in Python")
