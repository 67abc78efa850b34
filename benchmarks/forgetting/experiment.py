"""A case is a way to remember and a class order; a summary is of all cases of a way."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from selvedge.learn.memory.judges import nearest
from selvedge.learn.memory.trade import trade

from . import latents
from .digits import TRAIN, classes, mnist, stream
from .learning import REPLAY, Settings, learnt, settled

TRADED = "traded"
WAYS: dict[str, str | None] = {
    "naive": None, "raw": "raw", "1bit": "1bit", "half+2bit": "half+2bit", TRADED: TRADED,
    "latents-float32": "raw", "latents-int8": "int8",
}  # fmt: skip
LATENTS = ("latents-float32", "latents-int8")
CANDIDATES = (
    "raw", "int4", "2bit", "1bit", "half+int8", "half+int4", "half+2bit", "half+1bit", "third+int4", "third+2bit",
    "quarter+int4",
)  # fmt: skip
FIRST = 2000  # samples of the stream that the trade sees: all of the first task, of two classes


def case(way: str, seed: int, rows: int = TRAIN) -> dict[str, Any]:
    """One way on one class order, as plain data. "after": the accuracy after each task, on its classes so far; the last
    is the final one. "seconds": of the processor."""
    start = time.process_time()
    settings, codec, ranking = Settings(), WAYS[way], []
    if codec == TRADED:
        ranking = traded(seed, rows)
        codec = str(ranking[0]["codec"])
    choosing = time.process_time() - start
    found = (latents.learnt if way in LATENTS else learnt)(codec, seed, settings, rows)
    return {
        "way": way, "seed": seed, "classes": classes(seed).tolist(), "settings": settled(settings), "rows": rows,
        "codec": codec, "capacity": found.capacity, "replay_bytes": found.replay_bytes, "held": list(found.held),
        "arena": found.arena, "steps": found.steps, "after": [round(a, 4) for a in found.after],
        "tests": len(found.right), "ranking": ranking, "seconds": round(choosing + found.seconds, 1),
    }  # fmt: skip


def traded(seed: int, rows: int = TRAIN) -> list[dict[str, Any]]:
    """The trade's ranking, from the first samples of the stream: before anything is learnt, of two classes of ten."""
    x, y = mnist()
    first = stream(y, seed, rows)[:FIRST]
    found = trade(REPLAY, x[first], y[first], nearest, classes=10, candidates=CANDIDATES, as_kept=True, seed=seed)
    return [
        {"codec": one.named, "capacity": one.capacity, "score": round(one.score, 4), "error": round(one.error, 5)}
        for one in found
    ]


def summary(cases: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """By way: the final accuracy of every order, its mean and standard deviation, and what was the same in all.

    Raises ``ValueError`` for cases of several settings.
    """
    made: dict[str, dict[str, Any]] = {}
    for way in WAYS:
        mine = sorted((c for c in cases if c["way"] == way), key=lambda c: c["seed"])
        if not mine:
            continue
        if any((c["settings"], c["rows"]) != (mine[0]["settings"], mine[0]["rows"]) for c in mine):
            raise ValueError(f"{way}: cases of several settings")
        final = np.array([c["after"][-1] for c in mine])
        made[way] = {
            "final": final.tolist(), "mean": float(final.mean()), "sd": float(final.std(ddof=min(1, len(final) - 1))),
            "codecs": [c["codec"] for c in mine], "capacities": [c["capacity"] for c in mine],
            "bytes": max(c["replay_bytes"] for c in mine), "arena": max(c["arena"] for c in mine),
            "after": np.mean([c["after"] for c in mine], 0).tolist(), "seconds": sum(c["seconds"] for c in mine),
        }  # fmt: skip
    return made
