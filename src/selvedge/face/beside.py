"""Compiled code of networks that stand beside each other: what it predicts of held-out samples, and how fast."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ..artifact.preprocess import Preprocess
from ..data import Part
from ..make.compile import HostSession
from ..make.inference import Inference
from .job import Job
from .progress import Work

KINDS = {"cross_entropy": "CrossEntropy", "mse": "MSE", "bce_with_logits": "BCEWithLogits",
         "reconstruction": "Reconstruction"}  # fmt: skip
WARM, TIMED, SECONDS = 20, 300, 1.0  # predictions before the first that counts; that count, at most; of them in all


def timed(sessions: Sequence[HostSession], x: npt.NDArray[Any]) -> list[float]:
    """Seconds of a prediction, the median of calls in turn."""
    for session in sessions:
        for _ in range(WARM):
            session.predict(x)
    times: list[list[float]] = [[] for _ in sessions]
    end = time.perf_counter() + SECONDS
    while len(times[0]) < TIMED and time.perf_counter() < end:
        for session, took in zip(sessions, times, strict=True):
            start = time.perf_counter()
            session.predict(x)
            took.append(time.perf_counter() - start)
    return [float(np.median(took)) for took in times]


def unseen(job: Job) -> Part:
    """Held-out samples; the training ones where there are no others."""
    return job.data.part(next(name for name in ("test", "validation", "train") if len(job.data.split[name])))


def numbers(job: Job, part: Part, most: int, seed: int) -> npt.NDArray[Any]:
    """Samples of ``part`` as the model takes them, drawn by ``seed``."""
    chosen = np.sort(np.random.default_rng(seed).permutation(len(part))[:most])
    x = part.take(chosen)[0]
    return x if job.data.preprocess is None else job.data.preprocess(x)


class Native:
    """Compiled code, a sample at a time. ``told``: its outputs."""

    def __init__(self, plan: Inference, session: HostSession, preprocess: Preprocess | None, work: Work) -> None:
        self.plan, self.session, self.preprocess, self.work = plan, session, preprocess, work
        self.told: list[npt.NDArray[Any]] = []

    def predicted(self, x: npt.NDArray[Any]) -> npt.NDArray[Any]:
        given = x if self.preprocess is None or x.dtype != np.uint8 else self.preprocess(x)
        for i in range(len(given)):
            found = self.session.predict(given[i : i + 1])
            self.told.append(found[0] if isinstance(found, tuple) else found)
            self.work.at(len(self.told))
        return np.concatenate(self.told[-len(given) :])
