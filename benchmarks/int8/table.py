"""One int8 prediction in microseconds of processor time, everyone in one process: same file, batch 1, one thread.

Processor time is that of every thread of the process: no contestant has a second one, and a busy machine's other
processes are left out.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from math import exp, log
from typing import Any

from ..cells import failed, failure, times
from ..peers import reason
from ..peers.contestant import Missing
from ..timing import Timing, interleaved, ratios
from .contestants import CONTESTANTS, PEERS, Contestant, agree
from .models import MODELS

LEAST = {"float": 1.5, "better peer": 1.25}  # geometric means that the table promises
ROUNDS = 101


def run(models: Sequence[str] = tuple(MODELS), quick: bool = False, rounds: int = ROUNDS) -> Iterator[dict[str, Any]]:
    """A row a model; of names that are none of these, none. quick: few rounds."""
    for name in MODELS:
        if name in models:
            yield _row(name, 15 if quick else rounds)


def _row(name: str, rounds: int) -> dict[str, Any]:
    row: dict[str, Any] = {"model": name}
    ways: dict[str, Contestant] = {}
    for column, prepares in CONTESTANTS.items():
        try:
            for i, prepare in enumerate(prepares):
                made = prepare(name)
                agree(name, column, made)
                ways[f"{column} {i}"] = made
        except Exception as error:
            if column == "int8":
                raise
            row[column] = {"failed": reason(error), "missing": isinstance(error, Missing)}
    found = interleaved({way: c.predict for way, c in ways.items()}, rounds, seconds=0.003, clock=time.process_time)
    for column in CONTESTANTS:
        own = {way: Timing.of(list(found[way].values())) for way in found if way.rpartition(" ")[0] == column}
        if own and column not in row:
            best = min(own, key=lambda way: own[way].median)
            row[column] = asdict(own[best])
            if column != "int8":
                row[column]["times"] = asdict(Timing.of(ratios(found["int8 0"], found[best])))
    return row


def line(row: dict[str, Any]) -> str:
    """One row for the eye, while the others are made."""
    return f"{row['model']}: " + ", ".join(f"{name} {_microseconds(row[name])}" for name in CONTESTANTS)


def means(rows: Sequence[dict[str, Any]]) -> dict[str, float | None]:
    """Geometric means over the models of the median times that others take; of the better peer, the smaller of theirs
    in each row. None where a figure is missing."""
    columns = {name: [_median(row[name]) for row in rows] for name in CONTESTANTS if name != "int8"}
    better = [[m for m in row if m is not None] for row in zip(*(columns[name] for name in PEERS), strict=True)]
    columns["better peer"] = [min(row) if len(row) == len(PEERS) else None for row in better]
    return {name: _mean(found) for name, found in columns.items()}


def slower(rows: Sequence[dict[str, Any]]) -> list[str]:
    """What breaks the table's promise, where all models were measured."""
    if len(rows) < len(MODELS):
        return []
    found = means(rows)
    return [
        f"int8: {'no' if found[name] is None else f'{found[name]:.2f}'} x {name}, not {least}"
        for name, least in LEAST.items()
        if (found[name] or 0) < least
    ]


def table(rows: Sequence[dict[str, Any]]) -> str:
    """Markdown: microseconds, median and quartiles; how many times ours each other took; geometric means."""
    lines = [
        "| model | Selvedge int8 µs | Selvedge float µs | LiteRT int8 µs | ONNX Runtime int8 µs "
        "| × float | × LiteRT | × ONNX Runtime |",
        "|---|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for row in rows:
        cells = [_microseconds(row[name]) for name in CONTESTANTS]
        lines.append(f"| {' | '.join([row['model'], *cells, *(times(row[n]) for n in CONTESTANTS if n != 'int8')])} |")
    found = means(rows)
    each = ["-" if found[name] is None else f"**{found[name]:.2f}**" for name in CONTESTANTS if name != "int8"]
    lines.append(f"| geometric mean | | | | | {' | '.join(each)} |")
    best = found["better peer"]
    return "\n".join(
        [*lines, "", f"Of the better of the two peers, model by model: {'-' if best is None else f'{best:.2f}'} ×."]
    )


def _median(cell: dict[str, Any]) -> float | None:
    return None if failure(cell) else cell["times"]["median"]


def _mean(values: Sequence[float | None]) -> float | None:
    known = [v for v in values if v is not None]
    return exp(sum(map(log, known)) / len(known)) if known and len(known) == len(values) else None


def _microseconds(value: dict[str, Any]) -> str:
    if failure(value):
        return failed(value)
    digits = 1 if value["median"] < 1e-4 else 0
    median, low, high = (f"{value[key] * 1e6:.{digits}f}" for key in ("median", "low", "high"))
    return f"{median} ({low}-{high})"
