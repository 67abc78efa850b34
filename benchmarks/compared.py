"""``selvedge compare`` on spoken digits: every way to a smaller DS-CNN, as the command measures it."""

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
MODEL, DEVICE = "zoo:ds_cnn", "nrf52840"
EFFICIENT = Path(__file__).parents[1] / "examples" / "nets" / "small_ds_cnn.py"
PATTERN = "{label}_{}_{}.wav"  # recordings of one voice are in all parts
EPOCHS, SEEDS = 20, 3
QUICK = ("float", "ptq", "pruned+qat")


def run(models: Sequence[str] = (MODEL,), quick: bool = False) -> Iterator[dict[str, Any]]:
    """A row of what was asked for and of guessing, then one for each way."""
    if not ARCHIVE.is_file():
        raise Missing(f"no {ARCHIVE}: set SELVEDGE_DATA")
    made = compare(
        Order(
            MODEL, f"{_unpacked()}:pattern={PATTERN}", DEVICE, None, QUICK if quick else None, 2 if quick else EPOCHS,
            1 if quick else SEEDS, 0.5, False, f"{EFFICIENT}:make", 64, 3e-3, 256, scratch() / f"compared{quick:d}",
            None, None, None, 0, None,
        ),
        debug=True,
    ).to_dict()  # fmt: skip
    settings = {k: v for k, v in made.items() if k not in ("rows", "data", "notes", "out")}
    yield {"way": "guessing", **settings, "split": made["data"]["split"], "notes": made["notes"]}
    for row in made["rows"]:
        yield row if row["what"] == "" else {**row, "what": "examples/nets/small_ds_cnn.py"}


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
