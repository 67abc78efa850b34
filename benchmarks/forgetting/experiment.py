"""A case is a way to remember and a class order; a summary is of all cases of a way."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from selvedge.learn.memory.judges import nearest
from selvedge.learn.memory.trade import Traded, trade

from . import keeping, latents
from .digits import EACH, TRAIN, VALIDATION, classes, mnist, stream
from .judging import held_out, trained
from .learning import REPLAY, Settings, learnt, settled

TRADED, FIRST_TASK = "traded", "traded-first"
WAYS: dict[str, str | None] = {
    "naive": None, "raw": "raw", "1bit": "1bit", "half+2bit": "half+2bit", TRADED: TRADED,
    FIRST_TASK: FIRST_TASK,
    "latents-float32": "raw", "latents-int8": "int8",
    **{way: weights.codec for way, weights in keeping.WAYS.items()},
}  # fmt: skip
ROUNDS = 2  # of the trade by the network
LATENTS = ("latents-float32", "latents-int8")
FIRST = 2000  # samples of the stream that the trade sees, and of these the first task's alone: two classes


def settings_of(way: str) -> Settings:
    return latents.SETTINGS if way in LATENTS else Settings()


def case(way: str, seed: int, rows: int = TRAIN) -> dict[str, Any]:
    """One way on one class order, as plain data. "after": the accuracy after each task, on its classes so far; the last
    is the final one. "seconds": of the processor."""
    start = time.process_time()
    settings, codec, ranking = settings_of(way), WAYS[way], []
    if codec in (TRADED, FIRST_TASK):
        ranking = traded() if codec == TRADED else traded_first(seed, rows)
        codec = str(ranking[0]["codec"])
    choosing = time.process_time() - start
    more: dict[str, Any] = {}
    if way in keeping.WAYS:
        found, beside = keeping.learnt(keeping.WAYS[way], seed, settings, rows)
        more = {"weights": keeping.told(keeping.WAYS[way]), "beside_bytes": beside}
    else:
        found = (latents.learnt if way in LATENTS else learnt)(codec, seed, settings, rows)
    return {
        "way": way, "seed": seed, "classes": classes(seed).tolist(), "settings": settled(settings), "rows": rows,
        "codec": codec, "capacity": found.capacity, "replay_bytes": found.replay_bytes, "held": list(found.held),
        "arena": found.arena, "steps": found.steps, "after": [round(a, 4) for a in found.after],
        "tests": len(found.right), "ranking": ranking, "seconds": round(choosing + found.seconds, 1),
        **more,
    }  # fmt: skip


@lru_cache(maxsize=1)
def traded() -> list[dict[str, Any]]:
    """The trade's ranking by the network itself, from training images that are held out where settings are chosen: as
    these it is made once, before any of the class orders is seen."""
    x, y = held_out()
    judge = trained(Settings())
    return _told(trade(REPLAY, x, y, judge, classes=10, as_kept=True, rounds=ROUNDS, seed=VALIDATION))


def traded_first(seed: int, rows: int = TRAIN) -> list[dict[str, Any]]:
    """The trade's ranking by nearest neighbours, from the first samples of the stream: two classes of ten are known."""
    x, y = mnist()
    first = stream(y, seed, rows)[:FIRST]
    first = first[np.isin(y[first], classes(seed)[:EACH])]
    return _told(trade(REPLAY, x[first], y[first], nearest, classes=10, as_kept=True, seed=seed))


def _told(found: Sequence[Traded]) -> list[dict[str, Any]]:
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
        same = ("settings", "rows", "weights")
        if any([c.get(k) for k in same] != [mine[0].get(k) for k in same] for c in mine):
            raise ValueError(f"{way}: cases of several settings")
        final = np.array([c["after"][-1] for c in mine])
        made[way] = {
            "final": final.tolist(), "mean": float(final.mean()), "sd": float(final.std(ddof=min(1, len(final) - 1))),
            "codecs": [c["codec"] for c in mine], "capacities": [c["capacity"] for c in mine],
            "bytes": max(c["replay_bytes"] for c in mine),
            "beside": max(c.get("beside_bytes", 0) for c in mine),
            "arena": max(c["arena"] for c in mine),
            "after": np.mean([c["after"] for c in mine], 0).tolist(), "seconds": sum(c["seconds"] for c in mine),
        }  # fmt: skip
    return made
