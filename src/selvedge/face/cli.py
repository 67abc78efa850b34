"""The command line. It reads what the others return, and decides nothing.

Exit codes: 0 done; 1 a fault of ours; 2 bad input, or a plan that does not fit; 130 interrupted.
"""

from __future__ import annotations

import errno
import json
import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import click
import typer

from .. import __version__
from ..errors import InvalidInput, SelvedgeError, one_line
from . import commands, devices_commands, live_commands, refusal
from .commands import options
from .federating import commands as federating
from .held import held

SEEDS = 1 << 63  # what torch takes
_TWICE = re.compile(r"(Did you mean [^?]*\?) \1")  # newer click says what typer has said already

app = typer.Typer(
    add_completion=True,
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
    help="Train machine-learning models on edge devices, inside a byte budget.",
    epilog="Exit codes: 0 done; 1 a fault of ours; 2 bad input, or it does not fit; 130 interrupted. "
    "--debug may stand anywhere on the line.",
)


app.add_typer(devices_commands.app, name="devices")
app.add_typer(live_commands.app, name="live")
app.add_typer(federating.app, name="federate")


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"selvedge {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks, and what torch says.")] = False,
    version: Annotated[
        bool, typer.Option("--version", help="Show the version.", callback=_version, is_eager=True)
    ] = False,
) -> None:
    """Options before the command."""


@app.command()
def plan(
    context: typer.Context,
    model: options.Model,
    device: options.Device = "this-machine",
    budget: options.Budget = None,
    batch: Annotated[int | None, typer.Option(help="Samples a step; by default the example's.")] = None,
    accumulate: options.Accumulate = 1,
    update: options.Update = "full",
    contribution: options.Contribution = None,
    optimizer: options.Optimizer = "sgd",
    norms: options.Norms = "frozen",
    dropout: options.Dropout = None,
    dynamic: options.Dynamic = None,
    loss: options.Loss = None,
    shape: options.Shape = None,
    name: Annotated[str | None, typer.Option(help="Of the artifact's C functions and files.")] = None,
    out: Annotated[Path | None, typer.Option(help="Write the artifact (C99, weights, manifest) here.")] = None,
    seed: Annotated[int, typer.Option(min=-SEEDS, max=SEEDS - 1, help="For random weights.")] = 0,
    plot: Annotated[Path | None, typer.Option(help="Draw it: FILE.html, or FILE.svg for the memory alone.")] = None,
    slowdown: Annotated[float, typer.Option(help="Times the plain time that recomputing may take; 1: none.")] = 2.0,
    least: Annotated[bool, typer.Option("--least", help="Go down to the fewest bytes within the slowdown.")] = False,
    page: Annotated[bool, typer.Option("--page", help="Values may be paged to the device's storage.")] = False,
    battery: Annotated[str | None, typer.Option(help="Steps a day from one, as 1000mAh@3.7V or 3.7Wh.")] = None,
    life: Annotated[str | None, typer.Option(help="How long the battery must last (365d).")] = None,
    solar: Annotated[str | None, typer.Option(help="Steps a day from cells, as 20cm2,insolation=3.")] = None,
    sweep: Annotated[
        bool,
        typer.Option(
            "--sweep",
            help="Plan it in many ways, with folded norms too unless --norms is given; show those worth having.",
        ),
    ] = False,
    batches: Annotated[str | None, typer.Option(help="Of a sweep, as 1,4,8.")] = None,
    optimizers: Annotated[str | None, typer.Option(help='Of a sweep, as "sgd; adam:lr=0.001".')] = None,
    seconds: Annotated[float, typer.Option(help="That a sweep may take; a longer one is finer.")] = 50.0,
    as_json: Annotated[bool, typer.Option("--json", help="Figures for machines.")] = False,
) -> None:
    """Plan what a device can learn: memory proven, time predicted, every choice explained.

    MODEL is zoo:NAME?key=value&key=value (options may be left out), file.py:factory, or an exported model.pt2; or a
    .tflite or .onnx file, which predicts: of the options, --device, --budget, --name, --out, --json. With --update it
    learns, for the number of samples that it is of (--batch K --accumulate K takes K of one).
    """
    from . import network_file

    file = network_file.learns(model, context)
    if network_file.is_one(model) and not file:
        network_file.refuse(network_file.asked(context, *network_file.OPTIONS))
        typer.echo(network_file.planned(network_file.load(model, name), device, budget, out, as_json))
        return
    from ..planning.trade import Trade
    from . import early
    from . import plot as plots
    from .progress import Work
    from .source import source

    if plot is not None:
        plots.check(plot)
    early.options(
        model=model, shape=shape, device=device, budget=budget, optimizer=optimizer, norms=norms, loss=loss,
        batch=batch, accumulate=accumulate, contribution=contribution, dynamic=dynamic, update=update, file=file,
    )  # fmt: skip
    trade = Trade(stream=slowdown > 1, recompute=slowdown > 1, page=page, slowdown=slowdown, least=least)
    power = source(battery, life, solar)

    from ..make.compile import emit
    from ..make.plan import plan as make_plan
    from . import dynamic as dynamic_sizes
    from . import model as models
    from . import optimizer as optimizer_words
    from . import sweeping

    given: dict[str, Any] = {
        "device": device,
        "budget": budget,
        "optimizer": optimizer_words.parse(optimizer),
        "norms": norms,
        "dropout": dropout,
        "batch": batch,
        "trade": trade,
        "power": power,
    }
    sizes, rules = sweeping.batches(batches), sweeping.several(optimizers)
    if sweep and (out is not None or update != "full"):
        raise InvalidInput("--sweep", "on", "it plans all updates and writes no artifact: leave out --update and --out")
    if sweep and file:
        raise InvalidInput("--sweep", "on", "a file is of one number of samples: leave it out, or give the module")
    if sweep and least:
        raise InvalidInput("--sweep", "on", "it plans into fewer and fewer bytes anyway: leave out --least")
    if sweep and dynamic is not None:
        raise InvalidInput("--sweep", "on", "it plans inputs of one shape: leave out --dynamic")
    if not sweep and (sizes or rules):
        field = "--batches" if sizes else "--optimizers"
        raise InvalidInput(field, batches if sizes else optimizers, "it is of a sweep: add --sweep")
    with Work(silent=as_json) as work, held(bool(context.find_root().params["debug"])):
        work.part("planning")
        named = network_file.learnable(model, batch, accumulate) if file else models.load(model, shape, seed)
        given["loss"] = (named.loss or "cross_entropy") if loss is None else loss
        given["name"] = named.name if name is None else name
        if sweep and isinstance(named, models.NamedModel):
            given["accumulate"] = accumulate
            if context.get_parameter_source("norms") is click.core.ParameterSource.DEFAULT:
                del given["norms"]  # both frozen and folded ones are planned
            swept = sweeping.run(named, given, sizes, rules, contribution, seconds, work)
        else:
            made = make_plan(
                named.model, named.example, update=update, contribution=contribution, accumulate=accumulate,
                dynamic=dynamic_sizes.parse(dynamic), on_progress=lambda plans: work.at(plans, f"{plans} made"),
                **given,
            )  # fmt: skip
            if out is not None:
                emit(made, "c", out)
            if plot is not None:
                plots.write(made, plot)
    if sweep:
        sweeping.show(*swept, plot, as_json)
    elif as_json:
        typer.echo(json.dumps(made.to_dict(), indent=1))
    else:
        typer.echo(str(made))
        if out is not None:
            typer.echo(f"\nwritten to {out}")
        if plot is not None:
            typer.echo(f"\ndrawn in {plot}")


@app.command()
def operators(
    as_json: Annotated[bool, typer.Option("--json", help="Names for machines.")] = False,
) -> None:
    """List the ATen operators that a model may use."""
    from .operators import listing

    typer.echo(listing(as_json), nl=False)


@app.command()
def demo(
    seed: Annotated[int, typer.Option(min=-SEEDS, max=SEEDS - 1, help="Of the split, the camera and the weights.")] = 0,
    report: Annotated[Path, typer.Option(help="Where the page with the plots goes.")] = Path("selvedge-demo.html"),
    as_json: Annotated[bool, typer.Option("--json", help="Figures for machines, nothing else.")] = False,
) -> None:
    """Digits through a changed camera: a model adapts in 64 KiB, byte for byte as planned."""
    from .demo.run import run

    run(seed, report, as_json)


commands.register(app)


def main(arguments: Sequence[str] | None = None) -> None:
    """Entry point: every error of the user's is one line on stderr."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    ours = given.index("--") if "--" in given else len(given)
    debug = "--debug" in given[:ours]
    if debug:  # wherever it stands
        given = ["--debug", *(a for a in given[:ours] if a != "--debug"), *given[ours:]]
    try:
        code = app(given, standalone_mode=False, prog_name="selvedge")
        sys.stdout.flush()
        if code == 130:  # typer has caught the interrupt
            _say("interrupted", 130)
    except click.exceptions.Abort as error:
        code = _say(str(error) or "interrupted", 130)
    except KeyboardInterrupt as error:
        code = ended(error, False)
    except click.ClickException as error:
        text = _TWICE.sub(r"\1", one_line(error.format_message()))
        if text and "--json" in given:
            told = {"kind": "UsageError", "message": text}
            typer.echo(json.dumps({"error": told}, indent=1))
        code = _say(text, 2) if text else 2  # without one, typer has shown the help
    except SystemExit as error:  # click's own way out of a closed pipe
        if not isinstance(error.__context__, BrokenPipeError):
            raise
        _drop_output()
        code = 0
    except Exception as error:
        if debug and not isinstance(error, BrokenPipeError):
            raise
        code = ended(error, "--json" in given)
    if code == 130 and arguments is None:
        # An interrupt inside a library's own call of the interpreter makes python end by the signal, whatever is raised
        # here; everything has been unwound by now, so the process ends as documented.
        sys.stderr.flush()
        os._exit(130)
    raise SystemExit(code or 0)


def ended(error: BaseException, as_json: bool) -> int:
    """The exit code of a command that ended so, which is said."""
    if isinstance(error, KeyboardInterrupt):
        return _say("interrupted", 130)
    if isinstance(error, SelvedgeError):
        if as_json:
            typer.echo(json.dumps(refusal.data(error), indent=1))
        return _say(str(error), 2, () if as_json else refusal.lines(error))
    if isinstance(error, ImportError):
        return _say(_missing(error), 2)
    if isinstance(error, BrokenPipeError):  # the reader has seen enough, as `head` does
        _drop_output()
        return 0
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        _drop_output()
        return _say("output is cut short: the disk is full; make room or write elsewhere", 2)
    return _say(f"a fault in selvedge: {type(error).__name__}: {error} (selvedge --debug shows where)", 1)


def _drop_output() -> None:
    """What is still to be written goes nowhere: python would complain once more at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _missing(error: ImportError) -> str:
    from ..artifact.targets import TARGETS

    packages = {p.name.replace("-", "_"): p.wanted for target in TARGETS.values() for p in target.packages}
    packages |= {"sklearn": "scikit-learn>=1.5", "PIL": "pillow", "tvm": packages["apache_tvm"]}
    package = packages.get((error.name or "").split(".")[0])
    return f"{error.name} is not installed: pip install '{package}'" if package else str(error)


def _say(text: str, code: int, below: Sequence[str] = ()) -> int:
    typer.echo("\n".join([f"selvedge: {one_line(text)}", *below]), err=True)
    return code
