"""Epochs on a workstation: seeded, scored on validation data, the best one and the last one kept."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from ...compressing.qat import QAT
from ...errors import InvalidInput, SelvedgeError, one_line
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
    size = min(batch, len(y))
    steps = len(y) // size
    optimizer = torch.optim.Adam([p for p in net.parameters() if p.requires_grad], rate)
    falling = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs * steps)
    rng = np.random.default_rng([11, seed, phase])
    best: tuple[Score, Made, int] | None = None
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1_000_003 * phase + seed)
        for epoch in net.epochs(epochs) if isinstance(net, QAT) else range(epochs):
            tell(epoch)
            net.train()
            for rows in rng.permutation(len(y))[: steps * size].reshape(-1, size):
                optimizer.zero_grad()
                try:
                    value = step(x[rows], y[rows], rows)
                except SelvedgeError:
                    raise
                except ValueError as error:  # as of a norm that sees one sample
                    text = one_line(str(error).splitlines()[0])
                    raise InvalidInput("batch", size, f"the model cannot be trained on it: {text}") from error
                if not math.isfinite(float(value.detach())):
                    fix = f"the loss became {float(value.detach())} in epoch {epoch + 1}: lower it, as {rate / 10:.2g}"
                    raise InvalidInput("lr", rate, fix)
                value.backward()
                optimizer.step()
                falling.step()
            net.eval()
            score = scored(KINDS[loss], lambda given: predicted(net, given), parts.validation)
            if best is None or score.better(best[0]):
                best = score, keep(), epoch
    assert best is not None
    return Learnt(best[1], best[1] if best[2] == epochs - 1 else keep(), best[2] + 1)


@torch.no_grad()
def predicted(net: nn.Module, x: Array) -> Array:
    """Its output for samples ``x``."""
    found = [output(net, torch.from_numpy(x[i : i + SCORED])) for i in range(0, len(x), SCORED)]
    made: Array = torch.cat(found).numpy()
    return made
