"""DER++, LwF and EWC in the same stream, alone or with a replay: what is lowered besides the cross entropy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch

import selvedge as sv
from selvedge.learn.memory.beside import logits
from selvedge.learn.memory.replay import Replay
from selvedge.learn.objectives.consolidation import Consolidation
from selvedge.learn.objectives.teacher import Teacher
from selvedge.learn.objectives.wanted import Wanted

from .digits import TRAIN, Array, mnist
from .learning import REPLAY, Learnt, Settings, compiled, network, one_pass

CLASSES, HEAT = 10, 2.0
PROBED = 200  # samples of a task that the Fisher information is of


@dataclass(frozen=True, slots=True)
class Weights:
    """codec: of the replay, None without one. beta: of the cross entropy of remembered samples, new ones having 1.
    dark: of the square to stored logits. taught: of the distillation. strength, decay: of the consolidation. rate: of
    SGD."""

    codec: str | None = None
    beta: float = 1.0
    dark: float = 0.0
    taught: float = 0.0
    strength: float = 0.0
    decay: float = 1.0
    rate: float = 0.01


class Kept:
    """A :class:`learning.Keeper` of all of them, by their weights."""

    def __init__(self, session: Any, weights: Weights, new: int) -> None:
        self._weights, self._new, self._teacher = weights, new, None
        self._session: Any = session
        self._known = np.zeros(CLASSES, bool)
        self._held = Consolidation(session, weights.strength, weights.decay) if weights.strength else None
        self.bytes = 0 if self._held is None else self._held.bytes

    def beside(self, session: Any, x: Array) -> Sequence[Array | None]:
        if not self._weights.dark:
            return [None] * len(x)
        batch = session.manifest.batch
        return list(session.predict(np.resize(x, (batch, *x.shape[1:])))[: len(x)])

    def target(self, session: Any, x: Array, y: Array, stored: Array | None) -> Array:
        w, old = self._weights, slice(self._new, len(y))
        wanted = Wanted(len(y), CLASSES, HEAT).label(y[: self._new], 1.0, slice(0, self._new))
        if old.start < len(y):
            wanted.label(y[old], w.beta, old)
        if stored is not None and w.dark:
            wanted.logits(stored, w.dark, old)
        if self._teacher is not None:
            wanted.taught(self._teacher.logits(x), self._known, w.taught)
        return wanted.target

    def stepped(self) -> None:
        if self._held is not None:
            self._held.pull(self._weights.rate)

    def learnt(self, session: Any, x: Array, y: Array, known: Array) -> None:
        self._known[known] = True
        if self._weights.taught:
            self._teacher = Teacher(session)
            self.bytes = self._teacher.bytes + (0 if self._held is None else self._held.bytes)
        if self._held is not None:
            rows = np.linspace(0, len(y) - 1, PROBED).astype(int)
            self._held.learnt(x[rows], Wanted(PROBED, CLASSES, HEAT).label(y[rows]).target)


def learnt(weights: Weights, seed: int, settings: Settings, rows: int = TRAIN) -> tuple[Learnt, int]:
    """The pass, and the bytes besides the replay: of a teacher, of the weights and their Fisher information."""
    x, _ = mnist()
    batch = settings.new + settings.old
    rated = Settings(settings.new, settings.old, weights.rate, settings.momentum, settings.shift)
    loss = sv.remembering(CLASSES, HEAT)
    session = compiled(
        network, torch.zeros(batch, *x.shape[1:]), rated, seed, loss=loss, preprocess=sv.Preprocess()
    )  # fmt: skip
    memory = None
    if weights.codec is not None:
        beside = logits(CLASSES, "int8") if weights.dark else None
        memory = Replay(REPLAY, x.shape[1:], classes=CLASSES, seed=seed, codec=weights.codec, beside=beside)

    def kept(pictures: Array) -> Array:
        if memory is None:
            return pictures
        return memory.codec.decode(memory.codec.encode(pictures), memory.sample_shape, memory.dtype)

    keeper = Kept(session, weights, batch if memory is None else settings.new)
    return one_pass(session, x, memory, seed, rated, rows, kept, moved=True, keeper=keeper), keeper.bytes


WAYS: dict[str, Weights] = {
    "der++-raw": Weights("raw", dark=0.3),
    "der++": Weights("half+2bit", dark=0.3),
    "lwf": Weights(taught=1.0),
    "ewc": Weights(strength=100.0),
    "replay-lwf": Weights("half+2bit", taught=0.3),
    "replay-ewc": Weights("half+2bit", strength=1.0),
}


def told(weights: Weights) -> dict[str, Any]:
    return {**asdict(weights), "heat": HEAT, "probed": PROBED}
