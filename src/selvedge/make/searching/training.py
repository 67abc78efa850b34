"""Training of a candidate on the workstation: seeded epochs along a cosine, alone or with a teacher."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from ...compressing.course import Course as Epochs
from ...compressing.course import Diverged, Learnt, Rows, learn
from ...compressing.distil import Distil, Logits
from ..store import State
from .material import Material, Pair

AT_ONCE = 256  # samples
Transform = Callable[[Tensor, torch.Generator], Tensor]


@dataclass(frozen=True, slots=True)
class Course:
    """``augment``: (x [n, ...], generator) -> as many samples, changed; None: as they are."""

    rate: float
    batch: int
    augment: Transform | None


def train(
    net: nn.Module,
    data: Material,
    teacher: nn.Module | None,
    epochs: int,
    course: Course,
    seed: int,
    still: Callable[[], None],
) -> dict[str, float]:
    """Train ``net`` and leave it, in evaluation mode, at the epoch that is best on held-out samples; what those say of
    that epoch and of the last one. A loss that is no longer finite ends it, in the epoch "diverged" (0: in none);
    "epoch" is 0 where that was the first, and ``net`` as it was. ``still`` is called in every epoch."""
    x, y = data.train
    begin, diverged = copy.deepcopy(net.state_dict()), 0
    changed = torch.Generator().manual_seed(seed)
    with TemporaryDirectory() as folder:
        loss = _loss(net, teacher, x, course, Path(folder), seed)

        def of(rows: Rows) -> Tensor:
            given = x[rows] if course.augment is None else course.augment(x[rows], changed)
            return loss(given, y[rows], rows)

        def order(epoch: int) -> Rows:
            return np.random.default_rng([seed, epoch]).permutation(len(y))

        try:
            found: Learnt[State, tuple[float, float]] | None = learn(
                net, len(y), of, lambda: score(net, data.test), lambda: copy.deepcopy(net.state_dict()),
                Epochs(epochs, course.batch, course.rate, order, seed), before=lambda epoch: still(),
            )  # fmt: skip
        except Diverged as error:
            found, diverged = error.learnt, error.epoch
    net.load_state_dict(begin if found is None else found.best)
    net.eval()
    judged = (score(net, data.test),) if found is None else found.judged
    at = 0 if found is None else found.epoch
    return {"accuracy": judged[max(at, 1) - 1][0], "epoch": at, "last": judged[-1][0], "diverged": diverged}


def score(net: nn.Module, pair: Pair) -> tuple[float, float]:
    """(accuracy, -cross-entropy) in evaluation mode, in which the network is left."""
    net.eval()
    with torch.no_grad():
        z = torch.cat([net(pair[0][i : i + AT_ONCE]) for i in range(0, len(pair[1]), AT_ONCE)])
    return float((z.argmax(1) == pair[1]).double().mean()), -float(functional.cross_entropy(z, pair[1]))


def _loss(
    net: nn.Module, teacher: nn.Module | None, x: Tensor, course: Course, folder: Path, seed: int
) -> Callable[[Tensor, Tensor, Rows], Tensor]:
    if teacher is None:
        return lambda given, y, rows: functional.cross_entropy(net(given), y)
    made = Distil(net, teacher, [Logits()], example=x[:4], seed=seed)
    if course.augment is not None:  # the teacher sees what the student sees
        return lambda given, y, rows: made.loss(given, y)
    made.cache(folder / "answers", x, dtype="float32")
    return lambda given, y, rows: made.loss(given, y, index=rows)
