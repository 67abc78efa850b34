"""``selvedge compare`` on spoken digits: every way to make a user's CNN small, as the command measures it."""

from __future__ import annotations

import os
import tarfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from selvedge.face.comparing import Order, compare
from selvedge.make.interleaved import Timing
from selvedge.make.weighing import Outcome, Row
from selvedge.make.weighing.shown import HEAD, cells

from .auto.sources import FOLDER
from .peers import Missing
from .scratch import scratch

ARCHIVE = FOLDER / "fsdd" / "fsdd_recordings.tar.xz"
NETS = Path("examples") / "nets"
MODEL, EFFICIENT, DEVICE = NETS / "small_cnn.py", NETS / "small_ds_cnn.py", "nrf52840"
ROOT = Path(__file__).parents[1]
PATTERN = "{label}_{}_{}.wav"  # recordings of one voice are in all parts
SHAPE = "1x1x32x16"  # 32 frames of 16 bands: the pool of the CNN divides them evenly, as ONNX wants it
EPOCHS, SEEDS = 20, 3
QUICK = ("float", "ptq", "pruned+qat")


def run(models: Sequence[str] = (), quick: bool = False) -> Iterator[dict[str, Any]]:
    """A row of what was asked for and of guessing, then one for each way."""
    if not ARCHIVE.is_file():
        raise Missing(f"no {ARCHIVE}: set SELVEDGE_DATA")
    ways, epochs, seeds = (QUICK, 2, 1) if quick else (None, EPOCHS, SEEDS)
    order = Order(
        model=f"{ROOT / MODEL}:make", data=f"{_unpacked()}:pattern={PATTERN}", device=DEVICE, budget=None, ways=ways,
        epochs=epochs, seeds=seeds, macs=0.5, trained=False, efficient=f"{ROOT / EFFICIENT}:make", batch=64, lr=3e-3,
        samples=256, work=scratch() / f"compared{quick:d}", loss=None, shape=SHAPE, out=None, seed=0, plot=None,
    )  # fmt: skip
    made = compare(order, debug=True).to_dict()
    settings = {k: v for k, v in made.items() if k not in ("rows", "data", "notes", "out")}
    yield {"way": "guessing", **settings, "split": made["data"]["split"], "notes": made["notes"]}
    for row in made["rows"]:
        yield row if row["what"] == "" else {**row, "what": str(EFFICIENT)}


def _unpacked() -> Path:
    """The folder of the recordings."""
    folder = scratch() / "fsdd"
    if not folder.exists():
        half = scratch() / f"fsdd.{os.getpid()}"
        with tarfile.open(ARCHIVE) as archive:
            archive.extractall(half, filter="data")
        half.rename(folder)
    return folder / "recordings"


def line(row: dict[str, Any]) -> str:
    """One row for the eye."""
    if row["way"] == "guessing":
        return f"guessing: {row['guessing']['accuracy']:.1%}"
    return f"{row['way']}: {row['refused'] or format(row['test']['mean'], '.1%')}"


def slower(rows: Sequence[dict[str, Any]]) -> list[str]:
    """What breaks the table's promise: a way that cannot be done, or is no better than guessing."""
    guessing = rows[0]["guessing"]["accuracy"]
    return [
        f"{r['way']}: {r['refused'] or 'no better than guessing'}"
        for r in rows[1:]
        if r["refused"] or r["test"]["mean"] <= guessing
    ]


def table(rows: Sequence[dict[str, Any]]) -> str:
    """Markdown, and below it what was asked for."""
    about = rows[0]
    lines = [f"| {' | '.join(HEAD)} |", "|---" + "|---:" * (len(HEAD) - 2) + "|---|"]
    lines += [f"| {' | '.join(cells(_row(r)))} |" for r in rows[1:]]
    lines.append(f"| guessing | {100 * about['guessing']['accuracy']:.1f} |" + " |" * (len(HEAD) - 2))
    split, other = about["split"], next((r["what"] for r in rows[1:] if r["what"]), "")
    told = (
        f"`{MODEL}` on {about['device']}; FSDD's {sum(split.values()):,} recordings of six voices, drawn into "
        f"{split['train']:,} that train, {split['validation']:,} that choose the epoch and {split['test']:,} that "
        f"test: each voice is in all three. {about['seeds']} seeds, {about['epochs']} epochs for each way; pruned and "
        f"narrow networks keep {about['macs']:.0%} of the multiplications; *efficient* is `{other}`."
    )
    return "\n".join([*lines, "", told])


def _row(given: dict[str, Any]) -> Row:
    here = None if given["here"] is None else Timing(**given["here"])
    outcomes = tuple(Outcome.of(o) for o in given["seeds"])
    return Row(
        given["way"], tuple(given["needs"]), given["what"], given["refused"], outcomes, given["costs"], here
    )  # fmt: skip
