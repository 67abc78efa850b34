"""``selvedge plan NET --sweep``: the surface as a table, figures or a page; Ctrl-C shows what there is by then."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import typer

from ..artifact import files
from ..capture.optimizer import Optimizer
from ..choose import Contribution
from ..errors import InvalidInput
from ..make import surface
from ..make.sweep import Sweep
from ..make.sweep import sweep as make_sweep
from . import optimizer as optimizers
from .interrupt import Interrupted
from .model import NamedModel
from .progress import Work
from .stopping import stopping


def batches(text: str | None) -> list[int] | None:
    """Read "1,4,8". Raises ``InvalidInput``."""
    if text is None:
        return None
    sizes = [part.strip() for part in text.split(",")]
    if not all(s.isdecimal() and len(s) < 10 and int(s) for s in sizes):
        raise InvalidInput("--batches", text or "empty", "give whole numbers >= 1, as 1,4,8")
    return list(dict.fromkeys(map(int, sizes)))


def several(text: str | None) -> list[Optimizer] | None:
    """Read "sgd; adam:lr=0.001". Raises ``InvalidInput``."""
    return None if text is None else [optimizers.parse(part.strip()) for part in text.split(";")]


def run(
    named: NamedModel,
    options: Mapping[str, Any],
    sizes: list[int] | None,
    rules: list[Optimizer] | None,
    contribution: Path | None,
    seconds: float,
    work: Work,
) -> tuple[Sweep, bool]:
    """(what was planned, whether Ctrl-C ended it); ``work`` shows how far it is. options: arguments of
    ``sv.plan``. contribution: what ``selvedge contribute`` has written. Raises ``SelvedgeError``."""
    if not seconds > 0:
        raise InvalidInput("--seconds", seconds, "give a number > 0")
    told = None if contribution is None else Contribution.load(contribution)
    scores = None if told is None else {t.name: max(0.0, t.score) for t in told.tensors}
    with stopping() as stop:
        work.part("sweeping")

        def tell(done: int, most: int, says: str) -> None:
            if not done:
                work.part("sweeping", most)
            work.at(done, says)

        more: dict[str, Any] = {
            "batches": sizes, "optimizers": rules, "seconds": seconds, "tell": tell, "stop": stop,
            "contribution": scores,
        }  # fmt: skip
        found = make_sweep(named.model, named.example, **more, **options)
        return found, stop()


def show(found: Sweep, interrupted: bool, plot: Path | None, as_json: bool) -> None:
    """Print it, and draw it in ``plot``. Raises :class:`Interrupted` behind that, where it was."""
    if plot is not None:
        files.write(plot, (surface.page(found) if plot.suffix == ".html" else surface.picture(found)).encode())
    if as_json:
        typer.echo(json.dumps(found.to_dict(), indent=1))
    else:
        typer.echo(str(found) + (f"\n\ndrawn in {plot}" if plot is not None else ""))
    if interrupted:
        raise Interrupted(f"interrupted: {len(found.points)} plans were made")
