"""Bytes of one full step at batch 1: planned, measured, bound; what ExecuTorch plans and what PyTorch takes for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import selvedge as sv

from .cells import failure, number
from .peers import Failed, Missing, executorch, native, pytorch, reason, resident
from .work import MODELS, Work


def run(models: Sequence[str] = MODELS, quick: bool = False) -> Iterator[dict[str, Any]]:
    """A row a model and treatment of norms; plain SGD, update full, batch 1.

    Folded, every peer gets the model folded by PyTorch's own fusion: then all do the same arithmetic.
    """
    for spec in models:
        for norms in ("folded", "frozen"):
            yield _row(Work(spec), Work(spec, folded=norms == "folded"), norms)


def _row(work: Work, peers: Work, norms: str) -> dict[str, Any]:
    plan = native.plan(work, norms)
    found = sv.measured(plan)
    if found.faults:
        raise Failed(f"{work}: {found.faults[0]}")
    memory = plan.arrangement.memory
    return {
        "model": work.spec,
        "norms": norms,
        "planned": memory.arena,
        "measured": found.arena,
        "persistent": memory.persistent,
        "transient": memory.transient,
        "bound": memory.bound - memory.persistent,
        "bound_any_order": memory.any_order - memory.persistent,
        "stack": found.stack["step"],
        "executorch": _cell(lambda: executorch.export(peers).arena),
        "pytorch": _cell(lambda: pytorch.allocated(peers)),
        "resident": _cell(lambda: resident.grown(peers.spec, peers.batch, peers.folded)),
    }


def _cell(measure: Callable[[], Any]) -> Any:
    """What ``measure`` returns, or the failure in its place."""
    try:
        return measure()
    except Exception as error:
        return {"failed": reason(error), "missing": isinstance(error, Missing)}


def line(row: dict[str, Any]) -> str:
    """One row for the eye, while the others are made."""
    return f"{row['model']}, {row['norms']}, B: Selvedge {row['measured']:,}, ExecuTorch {number(row['executorch'])}"


def slower(rows: Sequence[dict[str, Any]]) -> list[str]:
    """What breaks the table's promise: bytes that were not planned."""
    return [f"{r['model']}, {r['norms']}: not as planned" for r in rows if r["planned"] != r["measured"]]


def table(rows: Sequence[dict[str, Any]]) -> str:
    """Markdown."""
    lines = [
        "| model | norms | planned B | measured B | learns B | in passing B | bound (order) | bound (any order) "
        "| stack B | ExecuTorch arena B | PyTorch allocator B | PyTorch process B |",
        "|---|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    before = [r["resident"]["before"] for r in rows if not failure(r["resident"])]
    for r in rows:
        grown = r["resident"] if failure(r["resident"]) else r["resident"]["growth"]
        lines.append(
            f"| `{r['model']}` | {r['norms']} | {r['planned']:,} | {r['measured']:,} | {r['persistent']:,} "
            f"| {r['transient']:,} | {r['bound']:,} | {r['bound_any_order']:,} | {r['stack']:,} "
            f"| {number(r['executorch'])} | {number(r['pytorch'])} | {number(grown)} |"
        )
    if before:
        lines += ["", f"PyTorch's process holds {min(before) / 1e6:.0f} MB before there is a model."]
    return "\n".join(lines)
