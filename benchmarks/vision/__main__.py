"""``python -m benchmarks.vision [--tasks a,b] [--seeds N] [--write]``: light and weather change. With
``--data photos/``: for one's own pictures, a folder a class."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from selvedge.data.load import load
from selvedge.errors import InvalidInput

from ..cases import run
from ..command import command
from .experiment import case
from .nets import UPDATES
from .page import DOCS, table, write
from .pictures import SETS, Pictures, absent, own
from .weather import KINDS, LENGTH

KEPT = Path(__file__).parents[1] / "results" / "vision"
SHAPE = (1, 28, 28)  # to which one's own pictures are made
TELLS = "What a device keeps that goes on learning while light and weather change, beside what it could do instead."


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--data")
    given, others = parser.parse_known_args(sys.argv[1:] if arguments is None else arguments)
    if given.data is not None:
        return _own(given.data, others)
    return run(
        "vision",
        TELLS,
        dict.fromkeys((f"{name}-{kind}" for name in SETS for kind in KINDS), 1),
        lambda task: absent(task.partition("-")[0]),
        lambda task, seed, fold, options: _case(*task.split("-"), seed),
        table,
        others,
        kept=KEPT,
        write=(write, f"{DOCS} and its pictures"),
    )


def _case(name: str, kind: str, seed: int) -> dict[str, Any]:
    return case(name, SETS[name](seed), kind, seed, LENGTH, UPDATES)


def _own(data: str, others: list[str]) -> int:
    """The same of the folder ``data``; cases go to a temporary folder, or ``--out``."""
    x, y = _read(data)
    name = Path(data).resolve().name
    kept = Path(tempfile.gettempdir()) / f"selvedge-vision-{name}-{len(y)}"
    return run(
        "vision",
        TELLS,
        dict.fromkeys(KINDS, 1),
        lambda task: None,
        lambda task, seed, fold, options: case(name, _parted(x, y, seed), task, seed, LENGTH, UPDATES),
        table,
        others,
        kept=kept,
    )


def _read(data: str) -> tuple[np.ndarray, np.ndarray]:
    """Every picture of a folder, grey, float32 [n, 1, 28, 28] in 0..1, and its class."""
    found = load(data, SHAPE)
    if found.kind != "images":
        raise InvalidInput("--data", data, "give a folder of images, a folder a class")
    assert found.y is not None
    return np.float32(found.x[np.arange(len(found.y))]) / 255, np.asarray(found.y)


def _parted(x: np.ndarray, y: np.ndarray, seed: int) -> Pictures:
    few = int(np.bincount(y).min())
    if few < 6 or len(y) < 100:
        raise InvalidInput(
            "--data", f"{len(y)} pictures, of a class {few}", "give 100 or more, 6 or more of each class"
        )
    return own(x, y, seed)


if __name__ == "__main__":
    command("benchmarks.vision", main)
