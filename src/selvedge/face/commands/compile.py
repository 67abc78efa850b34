"""``selvedge compile``."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Annotated

import typer

from . import options


def command(
    context: typer.Context,
    model: options.Model,
    device: options.Device = "this-machine",
    target: Annotated[str, typer.Option(help="What to write: c.")] = "c",
    budget: options.Budget = None,
    batch: Annotated[int | None, typer.Option(help="Samples a step; by default the example's.")] = None,
    accumulate: options.Accumulate = 1,
    update: options.Update = "full",
    optimizer: options.Optimizer = "sgd",
    norms: options.Norms = "frozen",
    dropout: options.Dropout = None,
    dynamic: options.Dynamic = None,
    loss: options.Loss = None,
    shape: options.Shape = None,
    name: Annotated[str | None, typer.Option(help="Of the artifact's C functions and files.")] = None,
    out: Annotated[Path | None, typer.Option(help="Write artifact and library here; else only to the cache.")] = None,
    seed: options.Seed = 0,
    as_json: options.Json = False,
) -> None:
    """Plan, then compile: an artifact for the device, and a shared library of the same step for this machine.

    MODEL is zoo:NAME?key=value&key=value (options may be left out), file.py:factory, or an exported model.pt2.
    """
    from .. import early
    from ..place import writable_folder

    early.options(
        model=model, shape=shape, device=device, budget=budget, optimizer=optimizer, norms=norms, loss=loss,
        batch=batch, accumulate=accumulate, dynamic=dynamic, update=update,
    )  # fmt: skip
    if out is not None:
        writable_folder("--out", out)

    from ...artifact import files
    from ...errors import InvalidInput
    from ...make.compile import bundled, emit
    from ...make.plan import plan as make_plan
    from ...run.build import build
    from .. import dynamic as dynamic_sizes
    from .. import model as models
    from .. import optimizer as optimizers
    from ..held import held
    from ..progress import Work

    if target != "c":
        raise InvalidInput(
            "--target", target or "empty", "this compiles c: for another runtime, selvedge emit --target"
        )
    chosen = optimizers.parse(optimizer)
    with Work() as work:
        work.part("planning")
        with held(bool(context.find_root().params["debug"])):
            named = models.load(model, shape, seed)
            made = make_plan(
                named.model,
                named.example,
                loss=loss or named.loss or "cross_entropy",
                device=device,
                budget=budget,
                optimizer=chosen,
                update=update,
                norms=norms,
                dropout=dropout,
                batch=batch,
                accumulate=accumulate,
                dynamic=dynamic_sizes.parse(dynamic),
                name=name or named.name,
                on_progress=lambda plans: work.at(plans, f"{plans} made"),
            )
        work.part("compiling")
        library = build(bundled(made).sources, made.arrangement.lanes, made.arrangement.dtype)
        if out is not None:
            emit(made, target, out)
            copied = out / f"lib{made.name}.so"
            files.write(copied, library.read_bytes())
            shutil.copymode(library, copied)
            library = copied
    figures = {**made.to_dict(), "target": target, "out": None if out is None else str(out), "library": str(library)}
    if as_json:
        typer.echo(json.dumps(figures, indent=1))
        return
    typer.echo(str(made))
    typer.echo(f"\nlibrary for this machine: {library}")
    if out is not None:
        typer.echo(f"artifact: {out}\nnext: selvedge predict {out} INPUT..., or sv.load({str(out)!r}) in Python")
