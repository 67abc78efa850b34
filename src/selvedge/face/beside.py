"""Compiled code of networks that stand beside each other: what it predicts of held-out samples, and how fast."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from ..artifact.preprocess import Preprocess
from ..data import Part
from ..device.sizes import format_bytes
from ..learn.metrics import Score
from ..make.compile import HostSession
from ..make.inference import Inference
from ..make.interleaved import interleaved
from .figures import score as said
from .figures import seconds
from .job import Job
from .progress import Work


@dataclass(frozen=True, slots=True)
class Row:
    """``test``: on held-out samples, of the native code. Bytes of weights in flash and of RAM; ``seconds``: of one
    prediction, measured on this machine, else planned; None where nobody knows."""

    name: str
    test: Score
    weights_bytes: int
    arena_bytes: int
    seconds: float | None


def table(rows: Sequence[Row]) -> list[str]:
    """Lines, with a head."""
    lines = [f"{'':<8}{'test':>12}{'weights':>12}{'RAM':>12}{'prediction':>14}"]
    for row in rows:
        weights, ram = format_bytes(row.weights_bytes), format_bytes(row.arena_bytes)
        test = said(row.test.accuracy, row.test.loss)
        lines.append(f"{row.name:<8}{test:>12}{weights:>12}{ram:>12}{seconds(row.seconds):>14}")
    return lines


def timed(sessions: Sequence[HostSession], x: npt.NDArray[Any]) -> list[float]:
    """Seconds of a prediction, the median of calls in turn."""
    return [t.median for t in interleaved([partial(session.predict, x) for session in sessions])]


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
