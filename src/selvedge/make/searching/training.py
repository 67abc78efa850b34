"""Training of a candidate on the workstation: seeded epochs along a cosine, alone or with a teacher."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from ...compressing.distil import Distil, Logits
from .material import Material, Pair

AT_ONCE = 256  # samples
Augment = Callable[[Tensor, torch.Generator], Tensor]


@dataclass(frozen=True, slots=True)
class Course:
    """``augment``: (x [n, ...], generator) -> as many samples, changed; None: as they are."""

    rate: float
    batch: int
    augment: Augment | None


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
    with TemporaryDirectory() as folder, torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        loss = _loss(net, teacher, x, course, Path(folder), seed)
        size = min(course.batch, len(y))
        steps = epochs * (len(y) // size)
        optimizer = torch.optim.Adam(net.parameters(), course.rate)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
        changed = torch.Generator().manual_seed(seed)
        best, top, last = (-1.0, -math.inf), copy.deepcopy(net.state_dict()), (-1.0, -math.inf)
        at = diverged = 0
        for epoch in range(epochs):
            still()
            net.train()
            order = np.random.default_rng([seed, epoch]).permutation(len(y))[: len(y) // size * size]
            for rows in order.reshape(-1, size):
                given = x[rows] if course.augment is None else course.augment(x[rows], changed)
                optimizer.zero_grad()
                value = loss(given, y[rows], rows)
                if not math.isfinite(float(value.detach())):
                    diverged = epoch + 1
                    break
                value.backward()
                optimizer.step()
                schedule.step()
            if diverged:
                break
            last = score(net, data.test)
            if last > best:
                best, top, at = last, copy.deepcopy(net.state_dict()), epoch + 1
    net.load_state_dict(top)
    net.eval()
    if not at:
        best = last = score(net, data.test)
    return {"accuracy": best[0], "epoch": at, "last": last[0], "diverged": diverged}


def score(net: nn.Module, pair: Pair) -> tuple[float, float]:
    """(accuracy, -cross-entropy) in evaluation mode, in which the network is left."""
    net.eval()
    with torch.no_grad():
        z = torch.cat([net(pair[0][i : i + AT_ONCE]) for i in range(0, len(pair[1]), AT_ONCE)])
    return float((z.argmax(1) == pair[1]).double().mean()), -float(functional.cross_entropy(z, pair[1]))


def _loss(
    net: nn.Module, teacher: nn.Module | None, x: Tensor, course: Course, folder: Path, seed: int
) -> Callable[[Tensor, Tensor, np.ndarray], Tensor]:
    if teacher is None:
        return lambda given, y, rows: functional.cross_entropy(net(given), y)
    made = Distil(net, teacher, [Logits()], example=x[:4], seed=seed)
    if course.augment is not None:  # the teacher sees what the student sees
        return lambda given, y, rows: made.loss(given, y)
    made.cache(folder / "answers", x, dtype="float32")
    return lambda given, y, rows: made.loss(given, y, index=rows)
