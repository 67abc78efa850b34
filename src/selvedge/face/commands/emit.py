"""``selvedge emit``."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Annotated

import typer

from . import options


def command(
    context: typer.Context,
    model: options.Model,
    out: Annotated[Path, typer.Option(help="The folder that the artifact goes to: new, empty, or an earlier one.")],
    target: Annotated[str, typer.Option(help="Which runtime it is for: see selvedge targets.")] = "c",
    predicts: Annotated[
        bool, typer.Option("--predicts", help="Only the prediction, weights as constants: it does not learn.")
    ] = False,
    device: options.Device = "this-machine",
    budget: options.Budget = None,
    batch: Annotated[int | None, typer.Option(help="Samples a step; by default the example's.")] = None,
    accumulate: options.Accumulate = 1,
    update: options.Update = "full",
    optimizer: options.Optimizer = "sgd",
    norms: options.Norms = "frozen",
    loss: options.Loss = None,
    shape: options.Shape = None,
    name: Annotated[str | None, typer.Option(help="Of the artifact's files.")] = None,
    seed: options.Seed = 0,
    as_json: options.Json = False,
) -> None:
    """Plan, then write the plan for another runtime: its files, the state under PyTorch's names, and a manifest.

    MODEL is zoo:NAME?key=value&key=value, file.py:factory, or an exported model.pt2; or a .tflite or .onnx file, which
    predicts, or learns with --update. `selvedge predict` and sv.load run it where the runtime is installed.
    """
    from ...artifact import targets
    from .. import early, network_file
    from ..place import writable_folder

    writable_folder("--out", out)
    file = network_file.learns(model, context) and not predicts
    learns = file or not (predicts or network_file.is_one(model))
    targets.require(target, "train" if learns else None, to_run=False)
    if not learns:
        known = () if network_file.is_one(model) else ("batch", "shape", "seed")
        given = network_file.asked(context, "target", "predicts", *network_file.OPTIONS, *known)
        network_file.refuse(given, network_file.NEVER if predicts else network_file.PREDICTS)
    if network_file.is_one(model) and not file:
        from ...make.compile import emit
        from ...make.inference import plan_inference

        plan = plan_inference(network_file.load(model, name), device=device, budget=budget)
        emit(plan, target, out)
        _told(plan.to_dict(), str(plan), target, out, as_json)
        return
    early.options(
        model=model, shape=shape, device=device, budget=budget, optimizer=optimizer, norms=norms, loss=loss,
        batch=batch, accumulate=accumulate, update=update, file=file,
    )  # fmt: skip

    from ...make.batch import batched
    from ...make.compile import emit
    from ...make.inference import Inference, plan_inference
    from ...make.plan import Plan
    from ...make.plan import plan as make_plan
    from .. import model as models
    from .. import optimizer as optimizers
    from ..held import held
    from ..progress import Work

    chosen = optimizers.parse(optimizer)
    made: Plan | Inference
    with Work(silent=as_json) as work:
        work.part("planning")
        with held(bool(context.find_root().params["debug"])):
            named = network_file.learnable(model, batch, accumulate) if file else models.load(model, shape, seed)
            called = name or named.name
            if learns:
                made = make_plan(
                    named.model, named.example, loss=loss or named.loss or "cross_entropy", device=device,
                    budget=budget, optimizer=chosen, update=update, norms=norms, batch=batch, accumulate=accumulate,
                    name=called, on_progress=lambda plans: work.at(plans, f"{plans} made"),
                )  # fmt: skip
            else:
                assert isinstance(named, models.NamedModel)
                example = named.example if batch is None else batched(named.example, batch)
                made = plan_inference(named.model, example, name=called, device=device, budget=budget)
        work.part("writing")
        emit(made, target, out)
    _told(made.to_dict(), str(made), target, out, as_json)


def _told(figures: dict[str, object], table: str, target: str, out: Path, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps({**figures, "target": target, "out": str(out)}, indent=1))
    else:
        typer.echo(f"{table}\n\nartifact for {target}: {out}")
        typer.echo(f"next: selvedge predict {shlex.quote(str(out))} INPUT..., or sv.load({str(out)!r}) in Python")
