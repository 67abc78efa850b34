"""A stream of which so many labels are wrong: what the guard refuses, and what a learner makes of the rest."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.live.habits import habits
from benchmarks.never_worse.camera import CHANGES
from benchmarks.never_worse.digits import digits
from benchmarks.never_worse.starting import BATCH, float_pictures, session
from benchmarks.never_worse.ways import HELD_OUT, MEMORY
from selvedge.learn.guard.anchor import Anchor
from selvedge.learn.guard.labels import LabelGuard
from selvedge.learn.learner import Learner
from selvedge.learn.memory.replay import Replay
from selvedge.learn.metrics import predictions
from selvedge.run.session import Session

CAMERAS = ("", "fog", "turned")
PERCENT = (0, 20, 40, 60)
LENGTH, ASKED = 500, 1000
STEPS = 8  # of eight samples: as many as steps of one


class _Recorded(LabelGuard):
    """What it said of every sample, in the order of the stream."""

    def __init__(self, classes: int, doubt: float) -> None:
        super().__init__(classes, doubt=doubt)
        self.said: list[np.ndarray] = []

    def sound(self, outputs: np.ndarray, labels: np.ndarray) -> np.ndarray:
        self.said.append(super().sound(outputs, labels))
        return self.said[-1]


def rows(seed: int, length: int = LENGTH) -> list[dict[str, Any]]:
    """One for each camera and share of wrong labels: counts of labels refused, and % right behind the stream, of a
    learner with the guard and of one without, and of naive steps likewise."""
    rng, (x, y) = np.random.default_rng([41, seed]), digits(seed).pool
    drawn = rng.choice(len(y), length + ASKED, replace=False)
    pictures, labels = float_pictures(x[drawn]), y[drawn]
    made = []
    for camera in CAMERAS:
        seen = CHANGES[camera](pictures) if camera else pictures
        for percent in PERCENT:
            wrong = rng.random(length) < percent / 100
            told = np.where(wrong, (labels[:length] + rng.integers(1, 10, length)) % 10, labels[:length])
            row: dict[str, Any] = {"camera": camera, "percent": percent, "wrong": int(wrong.sum()), "labels": length}
            for way in ("guarded", "plain"):
                guard = _Recorded(10, doubt=habits("guarded")["doubt"]) if way == "guarded" else None
                own = _learner(seed, guard)
                for sample, label in zip(seen[:length], told, strict=True):
                    own.learn_one(sample, int(label))
                own.finish()
                if guard is not None:
                    refused = ~np.concatenate(guard.said)
                    row |= {"refused wrong": int((refused & wrong).sum()), "refused": int(refused.sum())}
                for what, asked in (("changed", seen[length:]), ("began", pictures[length:])):
                    row[f"{way} {what}"] = float((own.predict_many(asked).argmax(1) == labels[length:]).mean())
                model = session(seed)
                naively(model, seen[:length], told, LabelGuard(10, doubt=guard.doubt) if guard is not None else None)
                right = predictions(model, seen[length:]).argmax(1)
                row[f"{way} naive"] = float((right == labels[length:]).mean())
            made.append(row)
    return made


def naively(model: Session, x: np.ndarray, y: np.ndarray, guard: LabelGuard | None) -> None:
    """A step of the plan for every eight samples of those whose labels are believed, and nothing that holds it."""
    waiting = np.zeros(0, np.intp)
    for i in range(0, len(y) - BATCH + 1, BATCH):
        rows = np.arange(i, i + BATCH)
        if guard is not None:
            rows = rows[guard.sound(model.predict(x[rows]), y[rows])]
        waiting = np.concatenate([waiting, rows])
        if len(waiting) >= BATCH:
            for _ in range(STEPS):
                model.step(x[waiting[:BATCH]], y[waiting[:BATCH]].astype(np.int32))
            waiting = waiting[BATCH:]


def _learner(seed: int, guard: LabelGuard | None) -> Learner:
    shape, (x, y) = (1, 28, 28), digits(seed).anchor
    return Learner(
        session(seed),
        memory=Replay(MEMORY, shape, np.float32, classes=10, seed=seed),
        held_out=Replay(HELD_OUT, shape, np.float32, classes=10, seed=seed + 1),
        anchor=Anchor(x, y, margin=0.01),
        label_guard=guard,
        seed=seed,
    )
