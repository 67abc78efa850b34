"""The same training step in the hands of others: what ExecuTorch plans for it, and what PyTorch takes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from typing import Any

from .cells import failed, failure, number
from .memory import NORMS, kib
from .peers import Missing, executorch, pytorch, reason, resident
from .scratch import scratch
from .work import MODELS, Work


def run(models: Sequence[str] = MODELS, quick: bool = False) -> Iterator[dict[str, Any]]:
    """A row a model and treatment of norms; plain SGD, everything learns, batch 1.

    Folded, every peer gets the model folded by PyTorch's own fusion: then all do the same arithmetic. Two rows at a
    time: nothing here is timed.
    """
    cases = [(spec, norms) for spec in models for norms in NORMS]
    scratch()
    with ProcessPoolExecutor(2, get_context("spawn")) as pool:
        yield from pool.map(row, *zip(*cases, strict=True))


def row(spec: str, norms: str) -> dict[str, Any]:
    work = Work(spec, folded=norms == "folded")
    with ThreadPoolExecutor(1) as beside:
        grown = beside.submit(lambda: resident.grown(work.spec, work.batch, work.folded))  # a process of its own
        arena = cell(lambda: executorch.export(work).arena)
        resident_cell = cell(grown.result)
    return {
        "model": spec,
        "norms": norms,
        "executorch": arena,
        "pytorch": cell(lambda: pytorch.allocated(work)),
        "resident": resident_cell,
    }


def cell(measure: Callable[[], Any]) -> Any:
    """What ``measure`` returns, or the failure in its place."""
    try:
        return measure()
    except Exception as error:
        return {"failed": reason(error), "missing": isinstance(error, Missing)}


def line(row: dict[str, Any]) -> str:
    """One row for the eye, while the others are made."""
    return (
        f"{row['model']}, {row['norms']}, B: ExecuTorch {number(row['executorch'])}, PyTorch {number(row['pytorch'])}"
    )


def slower(rows: Sequence[dict[str, Any]]) -> list[str]:
    """Nothing: a peer that fails says so in its cell."""
    return []


def table(rows: Sequence[dict[str, Any]]) -> str:
    """Markdown."""
    lines = [
        "| model | norms | ExecuTorch's arena | PyTorch's allocator | PyTorch's process |",
        "|---|---|---:|---:|---:|",
    ]
    for r in rows:
        grown = r["resident"] if failure(r["resident"]) else r["resident"]["growth"]
        cells = (failed(cell) if failure(cell) else kib(cell) for cell in (r["executorch"], r["pytorch"], grown))
        lines.append(f"| `{r['model']}` | {r['norms']} | {' | '.join(cells)} |")
    before = [r["resident"]["before"] for r in rows if not failure(r["resident"])]
    if before:
        lines += ["", f"PyTorch's process holds {min(before) / 1e6:.0f} MB before there is a model."]
    return "\n".join(lines)
