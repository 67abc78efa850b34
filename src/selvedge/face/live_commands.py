"""`selvedge live`: MODEL lives on a stream; `selvedge live log` and `selvedge live export` look into its folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import click
import typer
from typer.core import TyperGroup

from ..errors import InvalidInput
from .commands import options


class _Live(TyperGroup):
    """What is no command is a model that lives."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in self.commands:
            args = ["run", *args]
        return super().resolve_command(ctx, args)


app = typer.Typer(
    cls=_Live,
    no_args_is_help=True,
    help="Keep learning on a stream, and lose nothing on the way; log and export look into its folder.",
)
PLANNING = ("device", "batch", "optimizer", "update", "loss", "shape")  # options of a model that is planned here
Folder = Annotated[Path, typer.Argument(help="What --work named.")]


@app.command()
def run(
    context: typer.Context,
    model: Annotated[str, typer.Argument(help="An artifact's folder; or zoo:NAME, file.py:factory, model.pt2.")],
    stream: Annotated[
        str,
        typer.Option(
            "--stream",
            help="A .csv, .npy, .npz or .jsonl; a folder of images, .wav or .npy; - for JSON lines on stdin; "
            "mqtt://host/topic; camera:0; microphone:. Options follow as PLACE:label=COLUMN,missing=hold,watch=1.",
        ),
    ],
    budget: Annotated[str | None, typer.Option(help="RAM for all of it, as 64KiB.")] = None,
    memory: Annotated[str, typer.Option(help="RAM for earlier samples, as 16KiB.")] = "16KiB",
    codec: Annotated[
        str, typer.Option(help="Of the memory: raw, float16, int8, int4, 2bit, 1bit; half+, third+, quarter+ in front.")
    ] = "raw",
    policy: Annotated[str, typer.Option(help="Of the memory: balanced, reservoir or diverse.")] = "balanced",
    held_out: Annotated[str | None, typer.Option(help="RAM for samples that only judge; by default none.")] = None,
    anchor: Annotated[
        str | None, typer.Option(help="Samples with classes that the model began with, named as a stream is.")
    ] = None,
    margin: Annotated[float, typer.Option(help="Of the accuracy on the anchor that may be lost.")] = 0.01,
    detectors: Annotated[
        list[str] | None,
        typer.Option("--detector", help="Of drift, as error=adwin or input=page-hinkley:threshold=20; repeatable."),
    ] = None,
    drift: Annotated[str, typer.Option(help="What a drift asks for: ignore, more, reset or variant.")] = "more",
    every: Annotated[int, typer.Option(help="Samples of a round.")] = 8,
    steps: Annotated[int, typer.Option(help="Updates for each sample.")] = 4,
    rate: Annotated[
        str | None, typer.Option(help="Of learning, or auto: found on the device; by default the plan's.")
    ] = None,
    joules_a_day: Annotated[float | None, typer.Option(help="That it may take in any 24 hours.")] = None,
    joules_a_step: Annotated[float | None, typer.Option(help="Of an update; by default the plan's.")] = None,
    joules_a_prediction: Annotated[float | None, typer.Option(help="Of a prediction; by default 0.")] = None,
    only_charging: Annotated[bool, typer.Option("--only-charging", help="Learn only while it charges.")] = False,
    work: Annotated[
        Path | None, typer.Option(help="A folder that outlives any kill; the same line goes on there.")
    ] = None,
    queue: Annotated[int, typer.Option(help="Samples that may wait.")] = 64,
    full: Annotated[str, typer.Option(help="Where as many wait: block the stream, or drop the oldest.")] = "block",
    stalled: Annotated[float, typer.Option(help="Seconds without a sample that are told.")] = 30.0,
    strict: Annotated[bool, typer.Option("--strict", help="End at the first sample that cannot be used.")] = False,
    device: options.Device = "this-machine",
    batch: Annotated[int | None, typer.Option(help="Samples of an update, of a model planned here.")] = None,
    optimizer: Annotated[str, typer.Option(help="Of a model planned here.")] = "sgd:lr=0.01",
    update: options.Update = "full",
    loss: options.Loss = None,
    shape: options.Shape = None,
    seed: options.Seed = 0,
    page: Annotated[Path | None, typer.Option("--page", help="Draw its life: FILE.html, or FILE.svg.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="A line of JSON a round, and one at the end.")] = False,
) -> None:
    """MODEL goes on learning from a stream; what is learnt predicts when it is better on new samples.

    With --anchor, samples of what it began with, nothing predicts that may have lost more than --margin on them.

    MODEL is an artifact's folder, which needs no torch; or, planned here, zoo:NAME?key=value, file.py:factory or an
    exported model.pt2.

    Ctrl-C ends it; with --work the same line goes on where it was, as after any other end.
    """
    from . import early, place
    from .live_model import Wish, artifact, session_of
    from .live_settings import KIND, Settings, amount, anchor_of, rate_of, size
    from .stopping import stopping

    found = early.living(stream=stream, full=full, queue=queue, stalled=stalled, page=page)
    folder = artifact(model)
    settings = Settings(
        model=model if folder is None else str(folder.resolve()), budget=size("--budget", budget),
        memory=size("--memory", memory), codec=codec, policy=policy, held_out=size("--held-out", held_out),
        anchor=anchor_of(anchor), margin=margin, detectors=tuple(detectors or ()),
        drift=drift, every=every, steps=steps, rate=rate_of("--rate", rate),
        joules_a_day=amount("--joules-a-day", joules_a_day), joules_a_step=amount("--joules-a-step", joules_a_step),
        joules_a_prediction=joules_a_prediction or 0.0,
        only_charging=only_charging, labels=found.labels, seed=seed,
    )  # fmt: skip
    if folder is None:
        early.options(
            model=model, shape=shape, device=device, budget=None, optimizer=optimizer, norms="frozen", loss=loss,
            batch=batch, accumulate=1, update=update,
        )  # fmt: skip
    for name in PLANNING if folder is not None else ():
        if context.get_parameter_source(name) is not click.core.ParameterSource.DEFAULT:
            fix = "an artifact is planned already: leave it out"
            raise InvalidInput("--input" if name == "shape" else f"--{name}", context.params[name], fix)
    if work is not None:
        place.working_folder("--work", work, KIND)
    from .live_page import write
    from .live_view import View
    from .living import Flow, live

    wish = Wish(device, batch, optimizer, update, loss, shape, seed)
    session, step = session_of(folder, wish, settings, work, bool(context.find_root().params["debug"]))
    with stopping() as stop, View(str(found), settings.budget, silent=as_json) as view:

        def rounded(life: Any, made: Any) -> None:
            view.at(life, made)
            if as_json:
                typer.echo(json.dumps(_round(made, life.learner.kind == "CrossEntropy")))

        flow = Flow(queue, full, stalled, strict)
        lived = live(session, settings, step, found, flow, work, stop=stop, on_round=rounded, on_note=view.note)
    if page is not None:
        write(lived, str(found), page)
    if as_json:
        typer.echo(json.dumps(lived.to_dict()))
    else:
        typer.echo(str(lived) + (f"\ndrawn in {page}" if page is not None else ""))
    if lived.interrupted:
        raise ended(work)


def ended(work: Path | None) -> click.exceptions.Abort:
    """How to go on after Ctrl-C."""
    from .interrupt import Interrupted

    if work is None:
        return Interrupted("interrupted: nothing was kept; with --work FOLDER the same line goes on where it stopped")
    return Interrupted(f"interrupted: what was learnt is in {work}; the same line goes on from there")


@app.command()
def log(folder: Folder, as_json: options.Json = False) -> None:
    """What was learnt, refused and taken back, and why: the diary of what lives in FOLDER."""
    from .living import read_diary

    found = read_diary(folder)
    if as_json:
        typer.echo(json.dumps([{"sample": s, "kind": k, "why": w} for s, k, w in found], indent=1))
    else:
        typer.echo("\n".join(f"sample {s:,}: {k}: {w}" for s, k, w in found) or "nothing yet")


@app.command()
def export(
    folder: Folder,
    out: Annotated[Path, typer.Option("--out", help="An .npz of arrays under PyTorch's names.")],
    as_json: options.Json = False,
) -> None:
    """Write the committed weights of what lives in FOLDER, once it has been ended."""
    from . import place
    from .living import export as write

    if out.suffix != ".npz":
        raise InvalidInput("--out", out, "it is an archive of arrays: end it in .npz")
    place.writable("--out", out)
    arrays, size = write(folder, out)
    told = {"out": str(out), "arrays": arrays, "bytes": size}
    typer.echo(json.dumps(told, indent=1) if as_json else f"{arrays} arrays, {size:,} B, in {out}")


def _round(made: Any, classes: bool) -> dict[str, Any]:
    point = made.point
    return {
        "samples": point.seen,
        "accuracy": point.merit if classes else None,
        "lately": point.lately if classes else None,
        "loss": point.loss,
        "commits": made.commits,
        "refused": made.refused,
        "steps": made.steps,
        "joules": made.joules,
        "energy": made.energy,
        "told": [[e.sample, e.kind, e.why] for e in made.entries],
    }
