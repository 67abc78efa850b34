"""``selvedge contribute``."""

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
    method: Annotated[
        str,
        typer.Option(
            help="allocation (all learn together), loss_decrease (each alone), fisher or first_order (none learns)."
        ),
    ] = "allocation",
    optimizer: options.Optimizer = "adam:lr=0.001",
    batch: Annotated[int, typer.Option(help="Samples a step of the learning.")] = 8,
    steps: Annotated[int, typer.Option(help="Steps of the learning.")] = 100,
    samples: Annotated[int, typer.Option(help="Samples at most that gradients are taken of.")] = 64,
    norms: options.Norms = "frozen",
    loss: options.Loss = None,
    shape: options.Shape = None,
    out: Annotated[Path, typer.Option(help="The file, which may be edited.")] = Path("contribution.toml"),
    seed: options.Seed = 0,
    as_json: options.Json = False,
) -> None:
    """Measure what each tensor of MODEL contributes on your data, for --update auto.

    Ctrl-C keeps what is done; the same line goes on. Then: selvedge train MODEL --data DATA --contribution FILE.
    """
    from ...data import spec as data_spec
    from ...device.profile import THIS_MACHINE
    from .. import early

    early.options(
        model=model, shape=shape, device=THIS_MACHINE, budget=None, optimizer=optimizer, norms=norms, loss=loss,
        batch=batch, accumulate=1,
    )  # fmt: skip
    data_spec.parse(data)

    from .. import optimizer as optimizers
    from ..contributing import Wanted, contribute

    wanted = Wanted(
        model=model, data=data, method=method, optimizer=optimizers.parse(optimizer), batch=batch, steps=steps,
        samples=samples, norms=norms, loss=loss, shape=shape, out=out, seed=seed,
    )  # fmt: skip
    made = contribute(wanted, bool(context.find_root().params["debug"]))
    if as_json:
        typer.echo(json.dumps(made.to_dict(), indent=1))
    else:
        typer.echo(f"{made}\n\nwritten to {out}; next: --update auto --contribution {out} with plan, try or train")
