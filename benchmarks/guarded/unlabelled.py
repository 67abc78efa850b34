"""Learning without labels, with and without a guard: whether it helps, collapses, or is taken back."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch

import selvedge as sv
from benchmarks.live.habits import habits
from benchmarks.never_worse.camera import CHANGES
from benchmarks.never_worse.digits import digits
from benchmarks.never_worse.starting import SCALE, float_pictures, network, trained
from selvedge.learn.draws import Draws
from selvedge.learn.guard.collapse import Collapse
from selvedge.learn.metrics import predictions
from selvedge.learn.objectives.consistency import Consistency
from selvedge.learn.objectives.entropy import Entropy
from selvedge.learn.objectives.objective import Objective
from selvedge.learn.objectives.unlabelled import Unlabelled
from selvedge.make.by_target import label_free
from selvedge.run.ports import NotFinite

BATCH, LENGTH, ASKED = 16, 2000, 1000
STREAMS = ("", "dim", "flat", "fog", "turned", "one class")
NORMS = ["1.*", "4.*", "7.*"]
# "statistics": steps of rate 0, under which the norms' averages still move; "plain": without a guard; "labels": as
# many plain steps, of the cross entropy to the truth.
WAYS = ("frozen", "statistics", "plain", "guarded", "labels")
Array = npt.NDArray[Any]


def moved(x: np.ndarray, draws: Draws) -> np.ndarray:
    """By up to two pixels each way."""
    down, right = draws.below(5, len(x)) - 2, draws.below(5, len(x)) - 2
    return np.stack([np.roll(a, (i, j), (1, 2)) for a, i, j in zip(x, down, right, strict=True)])


OBJECTIVES: dict[str, Objective] = {
    "entropy (Tent)": Entropy(None), "entropy of what is sure": Entropy(), "consistency": Consistency(moved),
}  # fmt: skip


def rows(seed: int, length: int = LENGTH) -> list[dict[str, Any]]:
    """One for each stream, part of the network and objective: % right behind it, on the stream's camera and where it
    began, of each of WAYS; and why the guarded one stopped, if it did."""
    own, net = habits("guarded"), network()
    net.load_state_dict(trained(seed))
    rng, (x, y) = np.random.default_rng([42, seed]), digits(seed).pool
    drawn = rng.choice(len(y), length + ASKED, replace=False)
    pictures, labels = float_pictures(x[drawn]), y[drawn]
    alike = np.flatnonzero(y == seed % 10)[: length // 2]
    single = float_pictures(x[alike])
    made = []
    for part in ("norms", "whole"):
        rate = own["entropy_rate" if part == "norms" else "whole_rate"]
        optimizer = sv.Adam(rate) if part == "norms" else sv.SGD(rate, momentum=0.9)
        plan = sv.plan(
            net, torch.zeros(BATCH, 1, 28, 28), loss=label_free(10), optimizer=optimizer, preprocess=SCALE,
            update=NORMS if part == "norms" else "full", norms="live" if part == "norms" else "folded",
        )  # fmt: skip
        session = sv.compile(plan)
        start = session.snapshot()
        for stream in STREAMS:
            change = CHANGES.get(stream, lambda a: a)
            shown = single if stream == "one class" else change(pictures[:length])
            told = y[alike] if stream == "one class" else labels[:length]
            asked = change(pictures[length:])
            for name, objective in OBJECTIVES.items():
                row: dict[str, Any] = {"stream": stream, "part": part, "objective": name, "arena": plan.arena_bytes}
                for way in WAYS:
                    session.restore(start, 0)
                    learns = None
                    if way == "guarded":
                        learns = Unlabelled(session, objective, Collapse(10, share=own["share"]), seed=seed)
                    for i in range(0, 0 if way == "frozen" else len(shown) - BATCH + 1, BATCH):
                        rows = slice(i, i + BATCH)
                        if learns is not None:
                            learns.learn(shown[rows])
                        elif not _step(session, objective, way, shown[rows], told[rows], Draws(seed + i)):
                            break
                    row[f"{way} changed"] = float((predictions(session, asked).argmax(1) == labels[length:]).mean())
                    row[f"{way} began"] = float(
                        (predictions(session, pictures[length:]).argmax(1) == labels[length:]).mean()
                    )
                    if learns is not None:
                        row |= {"why": learns.why, "exact": _same(session.snapshot(), start)}
                made.append(row)
    return made


def _step(session: sv.Session, objective: Objective, way: str, x: Array, y: Array, draws: Draws) -> bool:
    """A step of what has no guard at all; False where its loss is no number any more."""
    lesson: tuple[Any, Any] | None = x, np.eye(11, dtype=np.float32)[y]
    if way != "labels":
        lesson = objective.lesson(session, x, np.asarray(session.predict(x)), draws)
    try:
        if lesson is not None:
            session.step(*lesson, lr=0.0 if way == "statistics" else None)
    except NotFinite:
        return False
    return True


def _same(one: dict[str, np.ndarray], other: dict[str, np.ndarray]) -> bool:
    return all(a.tobytes() == other[n].tobytes() for n, a in one.items())
