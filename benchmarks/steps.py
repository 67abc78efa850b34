"""One training step in milliseconds, everyone in one process: same model, weights, batch and losses, one thread."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from dataclasses import asdict
from multiprocessing import get_context
from typing import Any

import torch

from .cells import failure, range_, times
from .peers import PEERS, Contestant, Missing, agree, reason
from .scratch import scratch
from .timing import Timing, interleaved, ratios
from .work import MODELS, Work

BATCHES = (1, 8)
REFERENCE = "pytorch"


def run(models: Sequence[str] = MODELS, quick: bool = False) -> Iterator[dict[str, Any]]:
    """A row a case; quick: batch 1 and few rounds.

    What compilers make is made first, two cases at a time; then all are timed, with nothing else running. Raises
    :class:`Failed` if Selvedge computes something else.
    """
    batches = BATCHES[:1] if quick else BATCHES
    cases = [(spec, batch) for batch in batches for spec in models]
    scratch()
    with ProcessPoolExecutor(2, get_context("spawn")) as pool:
        list(pool.map(_compile, *zip(*cases, strict=True)))
    torch.set_num_threads(1)
    for case in cases:
        yield _row(Work(*case), rounds=5 if quick else 15)


def _compile(spec: str, batch: int) -> None:
    """Leave what everyone's compiler makes where it is found again. A failure is told when it is met again."""
    torch.set_num_threads(1)
    work = Work(spec, batch)
    for prepare in PEERS.values():
        with suppress(Exception):
            prepare(work)


def _row(work: Work, rounds: int) -> dict[str, Any]:
    contestants: dict[str, Contestant] = {}
    row: dict[str, Any] = {"model": work.spec, "batch": work.batch}
    reference = PEERS[REFERENCE](work)
    for name, prepare in PEERS.items():
        try:
            made = reference if name == REFERENCE else prepare(work)
            agree(made, reference)
        except Exception as error:
            if name == "selvedge":
                raise
            row[name] = {"failed": reason(error), "missing": isinstance(error, Missing)}
        else:
            contestants[name] = made
    found = interleaved({name: c.step for name, c in contestants.items()}, rounds)
    for name in PEERS:
        if name in found:
            row[name] = asdict(Timing.of(list(found[name].values())))
            if name != "selvedge":
                row[name]["times"] = asdict(Timing.of(ratios(found["selvedge"], found[name])))
    return row


def line(row: dict[str, Any]) -> str:
    """One row for the eye, while the others are made."""
    return f"{row['model']} at batch {row['batch']}: " + ", ".join(f"{n} {range_(row[n])}" for n in PEERS)


def slower(rows: Sequence[dict[str, Any]]) -> list[str]:
    """What breaks the table's promise: slower than PyTorch eager at batch 1."""
    found = [r for r in rows if r["batch"] == 1 and not failure(r[REFERENCE])]
    return [f"{r['model']} at batch 1: slower than PyTorch" for r in found if r[REFERENCE]["times"]["median"] < 1]


def table(rows: Sequence[dict[str, Any]]) -> str:
    """Markdown: milliseconds, median and quartiles; then how many times Selvedge's time each peer took."""
    lines = [
        "| model | batch | Selvedge ms | PyTorch eager ms | torch.compile ms | ExecuTorch ms "
        "| × eager | × compile | × ExecuTorch |",
        "|---|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for r in rows:
        cells = [range_(r[name]) for name in PEERS] + [times(r[name]) for name in PEERS if name != "selvedge"]
        lines.append(f"| `{r['model']}` | {r['batch']} | {' | '.join(cells)} |")
    return "\n".join(lines)
