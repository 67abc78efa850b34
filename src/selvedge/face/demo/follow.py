"""One learner along the stream, judged as it goes."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from statistics import median
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from ...learn.adapt import Learner, adapt
from ...learn.memory.replay import Replay
from .camera import WORN, Camera
from .digits import Digits, Photos
from .outcome import Point, Scores, Track

BATCH = 4
REPLAY_BYTES = 4096
EVERY = 40  # samples between two looks at the held-out pictures


@dataclass(frozen=True, slots=True)
class Pictures:
    """One seed's pictures. ``ideal``: what the workstation trains on; ``stream``: what the device sees, in order;
    ``shifted``, ``clean``: the held-out scenes through the changed camera and through the ideal one."""

    seed: int
    ideal: Photos
    stream: Photos
    shifted: Photos
    clean: Photos

    @classmethod
    def of(cls, data: Digits, seed: int) -> Self:
        """Taken with noise from ``seed``, the stream's apart from the held-out pictures'."""
        return cls(
            seed,
            data.photos(data.train, Camera()),
            data.photos(data.stream, WORN, seed=2 * seed),
            data.photos(data.held_out, WORN, seed=2 * seed + 1),
            data.photos(data.held_out, Camera()),
        )

    def judge(self, learner: Learner) -> Scores:
        """The learner as it is, on the held-out pictures."""
        return Scores(_accuracy(learner, self.shifted), _accuracy(learner, self.clean))

    def follow(
        self, name: str, learner: Learner, look: Callable[[Point, float], None] = lambda point, step_s: None
    ) -> Track:
        """Adapt ``learner`` on the stream; ``look`` is told of every point and of the median step, in seconds.

        Half of the replay is written on the workstation, with pictures of the ideal camera; the other half holds
        what the device saw.
        """
        shape = self.stream.codes.shape[1:]
        recent = Replay(REPLAY_BYTES // 2, shape, classes=10, seed=self.seed)
        shipped = Replay(REPLAY_BYTES // 2, shape, classes=10, seed=self.seed + 1000)
        for x, label in zip(self.ideal.codes, self.ideal.labels, strict=True):
            shipped.add(x, int(label))
        clocked = _Clocked(learner)
        points = [Point(0, None, self.judge(learner))]
        samples = zip(self.stream.codes, map(int, self.stream.labels), strict=True)
        right = 0
        for seen, sample in enumerate(adapt(clocked, samples, batch=BATCH, recent=recent, shipped=(shipped,)), 1):
            right += sample.right
            if seen % EVERY == 0 or seen == len(self.stream):
                points.append(Point(seen, right / seen, self.judge(learner)))
                if look is not None:
                    look(points[-1], median(clocked.seconds))
        return Track(name, tuple(points), median(clocked.seconds))


@dataclass(frozen=True, slots=True)
class _Clocked:
    """A learner with a watch on its steps."""

    learner: Learner
    seconds: list[float] = field(default_factory=list)

    def predict(self, x: Any, /) -> npt.NDArray[Any]:
        return self.learner.predict(x)

    def step(self, x: Any, y: Any, /) -> float:
        start = time.perf_counter()
        loss = self.learner.step(x, y)
        self.seconds.append(time.perf_counter() - start)
        return loss


def _accuracy(learner: Learner, photos: Photos) -> float:
    """The fraction of ``photos`` predicted right, in batches of the plan's size; the last one is filled up."""
    filled = -(-len(photos) // BATCH) * BATCH
    codes = np.concatenate([photos.codes, np.repeat(photos.codes[-1:], filled - len(photos), axis=0)])
    logits = [learner.predict(codes[i : i + BATCH]) for i in range(0, filled, BATCH)]
    guessed = np.concatenate(logits)[: len(photos)].argmax(1)
    return float((guessed == photos.labels).mean())
