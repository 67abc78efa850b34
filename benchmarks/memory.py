"""Bytes of one training step at batch 1: whole, made lighter, sparse, and what learns in half; planned and measured."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor, as_completed
from dataclasses import asdict
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import selvedge as sv

from .cells import failure, number
from .peers import Failed, native, reason
from .timing import Timing, interleaved, ratios
from .work import MODELS, RATE, Work

NORMS = ("folded", "frozen")
PLAIN = sv.Trade(stream=False, recompute=False)
LEAST = sv.Trade(least=True, slowdown=1.35)
VARIANTS: Mapping[str, tuple[str, sv.Trade | None]] = {  # what learns, and what is given for bytes
    "full": ("full", PLAIN),
    "full_least": ("full", LEAST),
    "sparse": ("last:3", PLAIN),
    "sparse_least": ("last:3", LEAST),
    "auto": ("auto", None),  # in half the arena of full, with the trade that a plan has by default
}
TIMED = ("full", "full_least")


def run(models: Sequence[str] = MODELS, quick: bool = False) -> Iterator[dict[str, Any]]:
    """A row a model and treatment of norms; plain SGD. All are planned and measured, two at a time; then timed, with
    nothing else running."""
    cases = [(spec, norms) for spec in models for norms in NORMS]
    with TemporaryDirectory() as folder:
        folders = {case: Path(folder, str(n)) for n, case in enumerate(cases)}
        with ProcessPoolExecutor(2, get_context("spawn")) as pool:
            # The largest, which are the last, take longest: they begin.
            making = {pool.submit(made, *case, folders[case]): case for case in reversed(cases)}
            found = {}
            for done in as_completed(making):
                case = making[done]
                found[case] = done.result()
                print(f"memory: {', '.join(case)}: planned and measured", file=sys.stderr, flush=True)
        for case in cases:
            yield timed(*case, found[case], folders[case], 5 if quick else 21)


def row(spec: str, norms: str, rounds: int = 21) -> dict[str, Any]:
    """One of the rows."""
    with TemporaryDirectory() as folder:
        return timed(spec, norms, made(spec, norms, Path(folder)), Path(folder), rounds)


def made(spec: str, norms: str, folder: Path) -> dict[str, Any]:
    """Every variant planned, built and measured; those that will be timed as artifacts in ``folder``."""
    work = Work(spec)
    found: dict[str, Any] = {}
    building: list[Future[sv.Session]] = []
    with ThreadPoolExecutor(2) as beside:  # compilers, most of the time
        measured: dict[str, tuple[sv.Plan, Future[sv.Measured]]] = {}
        for name, (update, trade) in VARIANTS.items():
            half = measured["full"][0].arena_bytes // 2 if update == "auto" else None
            try:
                plan = planned(work, norms, update, trade, half)
            except sv.DoesNotFit as error:
                found[name] = {"failed": reason(error), "missing": False}
                continue
            measured[name] = (plan, beside.submit(sv.measured, plan))
            if name in TIMED:
                sv.emit(plan, "c", folder / name)
                building.append(beside.submit(sv.load, folder / name))
        for name, (plan, measuring) in measured.items():
            found[name] = figures(plan, measuring.result())
        for session in building:
            session.result()
    return found


def timed(spec: str, norms: str, found: Mapping[str, Any], folder: Path, rounds: int) -> dict[str, Any]:
    """The row of ``found``, with its times."""
    work = Work(spec)
    sessions = {name: sv.load(folder / name) for name in TIMED}
    x, y = work.x.numpy(), None if work.y is None else work.y.numpy()
    times = interleaved({n: lambda s=s: s.step(x, y) for n, s in sessions.items()}, rounds)
    return {
        "model": spec,
        "norms": norms,
        **{name: found[name] for name in VARIANTS},
        "seconds": {name: asdict(Timing.of(list(turns.values()))) for name, turns in times.items()},
        "slowdown": asdict(Timing.of(ratios(times["full"], times["full_least"]))),
        "slowdown_planned": found["full_least"]["seconds"] / found["full"]["seconds"],
    }


def planned(work: Work, norms: str, update: str, trade: sv.Trade | None, ram: int | None = None) -> sv.Plan:
    return sv.plan(
        work.model(), work.x, loss=work.loss, device=native.machine(), norms=norms, optimizer=sv.SGD(lr=RATE),
        update=update, trade=trade, budget=None if ram is None else sv.Budget(ram=ram), name="model",
    )  # fmt: skip


def figures(plan: sv.Plan, found: sv.Measured) -> dict[str, Any]:
    """Of one variant, as plain data. Raises :class:`Failed` unless its arena is the one that was planned."""
    memory = plan.arrangement.memory
    if found.faults or found.arena != memory.arena:
        why = found.faults[0] if found.faults else f"{found.arena:,} B measured, {memory.arena:,} B planned"
        raise Failed(f"{plan.update}: {why}")
    saved = plan.arrangement.backward.saved
    return {
        "update": plan.update,
        "planned": memory.arena,
        "measured": found.arena,
        "persistent": memory.persistent,
        "transient": memory.transient,
        "bound": memory.bound - memory.persistent,
        "bound_any_order": memory.any_order - memory.persistent,
        "proven": all(p.placed_bound_bytes >= p.transient_bytes for p in plan.arrangement.programs.values()),
        "stack": found.stack["step"],
        "seconds": plan.cost.seconds,
        "saved": None if saved is None else asdict(saved),
        "seconds_to_plan": round(plan.seconds_to_plan, 2),
    }


def line(row: dict[str, Any]) -> str:
    """One row for the eye, while the others are made."""
    arenas = ", ".join(f"{n} {r if failure(r) else number(r['measured'])}" for n, r in _variants(row))
    return f"{row['model']}, {row['norms']}, B: {arenas}; {row['slowdown']['median']:.2f} x the time"


def slower(rows: Sequence[dict[str, Any]]) -> list[str]:
    """What breaks the table's promise: bytes that were not planned, or more than 2 % above the bound of their order
    where better places are not proven to be impossible."""
    wrong = []
    for r in rows:
        for name, found in _variants(r):
            if not failure(found) and found["planned"] != found["measured"]:
                wrong.append(f"{r['model']}, {r['norms']}, {name}: not as planned")
            if not failure(found) and found["transient"] > 1.02 * found["bound"] and not found["proven"]:
                wrong.append(f"{r['model']}, {r['norms']}, {name}: more than 2 % above the bound of its order")
    return wrong


def table(rows: Sequence[dict[str, Any]]) -> str:
    """Markdown: arenas; then what is in passing, with its bounds."""
    lines = [
        "| model | norms | full | full, lighter | × time, planned | × time, measured "
        "| last:3 | last:3, lighter | auto in half | it chose |",
        "|---|---|---:|---:|---:|---:|---:|---:|---:|---|",
    ]
    for r in rows:
        arenas = {n: "-" if failure(found) else kib(found["measured"]) for n, found in _variants(r)}
        took = r["slowdown"]
        lines.append(
            f"| `{r['model']}` | {r['norms']} | {arenas['full']} | **{arenas['full_least']}** "
            f"| {r['slowdown_planned']:.2f} | {took['median']:.2f} ({took['low']:.2f}-{took['high']:.2f}) "
            f"| {arenas['sparse']} | {arenas['sparse_least']} | {arenas['auto']} "
            f"| {failure(r['auto']) or r['auto']['update']} |"
        )
    lines += [
        "",
        "| in passing | norms | full | full, lighter | ratio | last:3 | last:3, lighter | auto in half |",
        "|---|---|---:|---:|---:|---:|---:|---:|",
    ]
    for r in rows:
        cells = {n: "-" if failure(found) else bounded(found) for n, found in _variants(r)}
        ratio = r["full_least"]["transient"] / r["full"]["transient"]
        lines.append(
            f"| `{r['model']}` | {r['norms']} | {cells['full']} | {cells['full_least']} | {ratio:.2f} "
            f"| {cells['sparse']} | {cells['sparse_least']} | {cells['auto']} |"
        )
    return "\n".join(lines)


def bounded(found: Mapping[str, Any]) -> str:
    """In passing; and in brackets the bounds - of its order, of any order - that are below it."""
    here, order, other = (found[key] for key in ("transient", "bound", "bound_any_order"))
    if here == other:
        return kib(here)
    return f"{kib(here)} ({kib(other)})" if here == order else f"{kib(here)} ({kib(order)}, {kib(other)})"


def kib(size: int) -> str:
    """KiB, with three digits where there are no more."""
    value = size / 1024
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}"


def _variants(row: Mapping[str, Any]) -> list[tuple[str, Any]]:
    return [(name, row[name]) for name in VARIANTS]
