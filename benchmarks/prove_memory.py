"""The memory of every network of the zoo, with that of others. ``python -m benchmarks.prove_memory NAME...`` makes the
rows of some networks alone: the proof takes them over.

Each row is kept under ``build/`` as soon as it is there, by the digest of the proof: what stops the proof costs one.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from selvedge import zoo
from selvedge.artifact import files

from . import zoo_memory
from .cells import failed, failure
from .environment import environment
from .memory_page import NAME, mb, table
from .peers import Failed, reason
from .scratch import scratch

ROOT = Path(__file__).parents[1]
KEPT = ROOT / "build" / "prove_memory"


def prove(digest: str) -> dict[str, Any]:
    """A row a network, and where they were made. ``missed``: what broke its promise in any of them.

    Raises ``AssertionError`` where a row could not be made, or a peer is not installed, after all of them.
    """
    specs = ordered(zoo.names())
    made, wrong = rows(specs, digest)
    fatal = [one for one in wrong if "above the bound" not in one]
    assert not fatal, "; ".join(fatal)
    seconds = round(sum(row["seconds"] for row in made), 1)
    return {"about": {**environment(), "seconds": seconds}, "rows": made, "missed": wrong}


def rows(specs: Sequence[str], digest: str, kept: Path = KEPT) -> tuple[list[dict[str, Any]], list[str]]:
    """The rows of ``specs``, and what is wrong with them. Those that ``kept`` has of ``digest`` are not made again;
    those of other digests go."""
    folder = kept / digest[:16]
    for other in kept.iterdir() if kept.exists() else ():
        if other != folder:
            shutil.rmtree(other)
    folder.mkdir(parents=True, exist_ok=True)
    scratch()
    made: list[dict[str, Any]] = []
    wrong: list[str] = []
    for n, spec in enumerate(specs, 1):
        file, start, busy = folder / f"{spec}.json", time.perf_counter(), _busy()
        known = file.exists()
        try:
            row = json.loads(file.read_text()) if known else zoo_memory.row(spec, _apart)
        except Failed as error:
            wrong.append(f"{spec}: {error}")
            print(f"{n}/{len(specs)} {wrong[-1]}", file=sys.stderr, flush=True)
            continue
        if not known:
            row |= {"seconds": round(time.perf_counter() - start, 1), "core_seconds": round(_busy() - busy, 1)}
            files.write(file, (json.dumps(row) + "\n").encode())
        made.append(row)
        wrong += zoo_memory.wrong(row)
        told = "made before" if known else f"{row['seconds']:.0f} s, {row['core_seconds']:.0f} of a core"
        print(f"{n}/{len(specs)} {line(row)} [{told}]", file=sys.stderr, flush=True)
    return made, wrong


def line(row: Mapping[str, Any]) -> str:
    """One row for the eye, while the others are made; MB."""
    ours = {n: row[n] if failure(row[n]) else row[n]["measured"] for n in zoo_memory.VARIANTS}
    cells = {**ours, **{n: row[n] for n in zoo_memory.PEERS}}
    told = (f"{n} {failed(c) if failure(c) else mb(c)}" for n, c in cells.items())
    return f"{row['model']}: {', '.join(told)}"


def ordered(names: Iterable[str]) -> list[str]:
    """By the floating-point operations of the forward pass."""

    def work(name: str) -> int:
        model, example, _ = zoo.make(name)
        with torch.no_grad(), FlopCounterMode(display=False) as counter:
            model.eval()(example)
        return int(counter.get_total_flops())

    return sorted(names, key=lambda name: (work(name), name))


def _busy() -> float:
    """Seconds of a core that the processes which have ended took, compilers and all."""
    spent = os.times()
    return spent.children_user + spent.children_system


def _apart(function: Callable[..., Any], *arguments: Any) -> Any:
    """In a fresh process, of one thread. Raises :class:`Failed` with what went wrong in it, or ended it."""
    with ProcessPoolExecutor(1, get_context("spawn"), initializer=torch.set_num_threads, initargs=(1,)) as pool:
        try:
            return pool.submit(_told, function, arguments).result()
        except BrokenProcessPool:
            raise Failed("its process ended before it was done") from None


def _told(function: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
    """Not every error finds its way from one process to another: what went wrong becomes a line that does."""
    try:
        return function(*arguments)
    except Failed:
        raise
    except Exception as error:
        raise Failed(reason(error)) from error


def main(names: Sequence[str]) -> int:
    from .prove import PROOFS

    made, wrong = rows(names, PROOFS[NAME].digest())
    print(table(made))
    for one in wrong:
        print(f"wrong: {one}", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
