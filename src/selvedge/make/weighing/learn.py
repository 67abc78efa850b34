"""A network of a comparison is trained: scored on validation data, its best epoch and its last one kept."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from ...compressing import course
from ...learn.metrics import Score, scored
from .losses import KINDS, output
from .parts import Array, Parts

SCORED = 256  # samples at once
Made = TypeVar("Made")
Step = Callable[[Tensor, Tensor, Array], Tensor]  # x, y, rows -> loss


@dataclass(frozen=True, slots=True)
class Learnt(Generic[Made]):
    """What was kept at the epoch that is best on validation data, and at the last. ``epoch``: that one, from 1."""

    best: Made
    last: Made
    epoch: int


def learn(
    net: nn.Module, parts: Parts, loss: str, step: Step, keep: Callable[[], Made], *, epochs: int, rate: float,
    batch: int, seed: int, phase: int, tell: Callable[[int], None],
) -> Learnt[Made]:  # fmt: skip
    """Train ``net`` for ``epochs`` by Adam at ``rate``, falling to 0 along a cosine over all steps; it is left at the
    last epoch.

    step: the loss of a batch. keep: what to keep of the network, called where an epoch is better than all before and
    at the last. ``phase``: which part of the training this is: with ``seed`` it draws the order, and dropout. tell: is
    told each epoch before it begins. Where there are no epochs the network as it is is both. Raises ``InvalidInput``
    where the loss is no longer finite.
    """
    if epochs < 1:
        kept = keep()
        return Learnt(kept, kept, 0)
    x, y = torch.from_numpy(parts.train.x), torch.from_numpy(np.asarray(parts.train.y))
    rng = np.random.default_rng([11, seed, phase])

    def judge() -> Score:
        net.eval()
        return scored(KINDS[loss], lambda given: predicted(net, given), parts.validation)

    found = course.learn(
        net, len(y), lambda rows: step(x[rows], y[rows], rows), judge, keep,
        course.Course(epochs, batch, rate, lambda epoch: rng.permutation(len(y)), 1_000_003 * phase + seed),
        better=Score.better, before=tell,
    )  # fmt: skip
    return Learnt(found.best, found.best if found.epoch == epochs else keep(), found.epoch)


@torch.no_grad()
def predicted(net: nn.Module, x: Array) -> Array:
    """Its output for samples ``x``."""
    found = [output(net, torch.from_numpy(x[i : i + SCORED])) for i in range(0, len(x), SCORED)]
    made: Array = torch.cat(found).numpy()
    return made
