"""``selvedge zoo``."""

from __future__ import annotations

import json
from textwrap import wrap
from typing import TYPE_CHECKING, Annotated, Any

import typer

from . import options

if TYPE_CHECKING:
    from ..model import NamedModel

WIDTH = 120  # of the table; options go on below


def command(
    models: Annotated[
        list[str] | None, typer.Argument(metavar="[NAME]...", help="NAME?key=value; all of them if left out.")
    ] = None,
    norms: Annotated[
        str, typer.Option(help="frozen or folded: how the training of the last column treats them.")
    ] = "frozen",
    as_json: options.Json = False,
) -> None:
    """The architectures by name: parameters, MACs, and the memory they need to run and to train, at batch 1.

    Each is planned for this, which takes seconds for the large ones.
    """
    from ...capture.capture import NORMS
    from ...errors import InvalidInput
    from ...zoo import names
    from ...zoo.registry import parse
    from .. import model
    from ..progress import Work

    if norms not in NORMS:
        raise InvalidInput("--norms", norms or "empty", f"give one of {', '.join(NORMS)}")
    asked = [name.removeprefix("zoo:") for name in models] if models else list(names())
    for name in asked:
        parse(name)
    found = []
    with Work() as work:
        work.part("planning", len(asked))
        for i, name in enumerate(asked):
            work.at(i, name)
            found.append(_row(name, model.load(f"zoo:{name}", None, 0), norms))
    if as_json:
        typer.echo(json.dumps(found, indent=1))
        return
    typer.echo("\n".join(_table(found)))
    typer.echo("\nnext: selvedge plan zoo:NAME?option=value --device DEVICE")


def _row(name: str, named: NamedModel, norms: str) -> dict[str, Any]:
    """What is known of one architecture. Where operators are missing there is no plan, and no figure of one."""
    from ...errors import NotSupported
    from ...zoo.registry import parse
    from ..inspection import inspect
    from ..unlimited import unlimited

    entry, values = parse(name)
    classes = values.get("classes")
    row: dict[str, Any] = {
        "name": name,
        "input": list(named.example[0].shape[1:]),
        "dtype": str(named.example[0].dtype).removeprefix("torch."),
        "classes": None if classes is None else int(classes),
        "loss": entry.loss,
        "source": entry.source,
        "options": {key: str(option) for key, option in entry.options.items()},
    }
    try:
        plan = unlimited(named, norms=norms)
    except NotSupported:
        inspected = inspect(named)
        missing = list(dict.fromkeys(m.op for m in inspected.missing))
        figures = {"macs": None, "arena_run_bytes": None, "arena_train_bytes": None, "missing": missing}
        return row | {"parameters": inspected.trainable} | figures
    predict = plan.arrangement.programs["predict"]
    return row | {
        "parameters": sum(plan.captured.state[n].size for n in plan.captured.trainable),
        "macs": predict.macs,
        "arena_run_bytes": predict.transient_bytes,
        "arena_train_bytes": plan.arena_bytes,
        "missing": [],
    }


def _table(found: list[dict[str, Any]]) -> list[str]:
    from ...device.sizes import format_bytes

    width = max(len("name"), *(len(f["name"]) for f in found)) + 2
    lines = [f"{'name':<{width}}{'input':>11}{'parameters':>12}{'MACs':>15}{'RAM to run':>12}{'to train':>11}  options"]
    for f in found:
        shape = "x".join(map(str, f["input"]))
        head = f"{f['name']:<{width}}{shape:>11}{f['parameters']:>12,}"
        if f["missing"]:
            lines.append(f"{head}  not yet: {', '.join(f['missing'])}")
            continue
        run, train = format_bytes(f["arena_run_bytes"]), format_bytes(f["arena_train_bytes"])
        row = f"{head}{f['macs']:>15,}{run:>12}{train:>11}  "
        options = wrap(", ".join(f["options"]), max(24, WIDTH - len(row))) or [""]
        lines += [(row if i == 0 else " " * len(row)) + part for i, part in enumerate(options)]
    return lines
