"""``selvedge zoo``."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from . import options


def command(
    norms: Annotated[
        str, typer.Option(help="frozen or folded: how the training of the last column treats them.")
    ] = "frozen",
    as_json: options.Json = False,
) -> None:
    """The architectures by name: parameters, MACs, and the memory they need to run and to train, at batch 1."""
    from ...capture.capture import NORMS
    from ...device.sizes import format_bytes
    from ...errors import InvalidInput
    from ...zoo import entry, names
    from .. import model as models
    from ..progress import Work
    from ..unlimited import unlimited

    if norms not in NORMS:
        raise InvalidInput("--norms", norms or "empty", f"give one of {', '.join(NORMS)}")
    found = []
    with Work() as work:
        work.part("planning", len(names()))
        for i, name in enumerate(names()):
            work.at(i, name)
            plan = unlimited(models.load(f"zoo:{name}", None, 0), norms=norms)
            row, predict = entry(name), plan.arrangement.programs["predict"]
            found.append(
                {
                    "name": name,
                    "input": list(row.input_shape),
                    "classes": row.classes,
                    "loss": row.loss,
                    "source": row.source,
                    "options": {key: str(option) for key, option in row.options.items()},
                    "parameters": sum(plan.captured.state[n].size for n in plan.captured.trainable),
                    "macs": predict.macs,
                    "arena_run_bytes": predict.transient_bytes,
                    "arena_train_bytes": plan.arena_bytes,
                }
            )
    if as_json:
        typer.echo(json.dumps(found, indent=1))
        return
    typer.echo(f"{'name':<18}{'input':>12}{'parameters':>12}{'MACs':>14}{'RAM to run':>13}{'to train':>12}  options")
    for f in found:
        shape = "x".join(map(str, f["input"]))  # type: ignore[arg-type]
        run, train = (format_bytes(int(str(f[k]))) for k in ("arena_run_bytes", "arena_train_bytes"))
        listed = ", ".join(f["options"])  # type: ignore[arg-type]
        typer.echo(f"{f['name']:<18}{shape:>12}{f['parameters']:>12,}{f['macs']:>14,}{run:>13}{train:>12}  {listed}")
    typer.echo("\nnext: selvedge plan zoo:NAME?option=value --device DEVICE")
