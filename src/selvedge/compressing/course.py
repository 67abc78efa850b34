"""Training on a workstation: Adam along a cosine, an order of samples for each epoch, and the best epoch kept.

What every training here has in common, alone or with a teacher, whole or behind a cut. Given are the loss of some
samples, how an epoch is judged, and what is kept of it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from ..errors import InvalidInput, SelvedgeError, one_line

Rows = npt.NDArray[np.intp]
Loss = Callable[[Rows], Tensor]  # of the samples of these numbers: a scalar with a graph
Judged = TypeVar("Judged")
Kept = TypeVar("Kept")


class Diverged(InvalidInput):
    """A loss in epoch ``epoch``, from 1, is not finite. ``learnt``: what was found before, where an epoch was whole."""

    def __init__(self, field: str, rate: float, value: float, epoch: int) -> None:
        super().__init__(field, rate, f"the loss became {value} in epoch {epoch}: lower it, as {rate / 10:.2g}")
        self.epoch = epoch
        self.learnt: Learnt[Any, Any] | None = None


@dataclass(frozen=True, slots=True)
class Learnt(Generic[Kept, Judged]):
    """What was kept of epoch ``epoch``, from 1, the best; and how each epoch was judged."""

    best: Kept
    epoch: int
    judged: tuple[Judged, ...]


@dataclass(frozen=True, slots=True)
class Course:
    """``epochs`` in batches of ``batch``, what is over left out; Adam at ``rate``, falling to 0 along a cosine over all
    steps. ``order``: epoch, from 0 -> the numbers of all samples as they are met. ``seed``: of what else is drawn, as
    by dropout; torch's own generator is left where it was."""

    epochs: int
    batch: int
    rate: float
    order: Callable[[int], Rows]
    seed: int


def _greater(a: Any, b: Any) -> bool:
    return bool(a > b)


def learn(
    net: nn.Module, samples: int, loss: Loss, judge: Callable[[], Judged], keep: Callable[[], Kept], course: Course, *,
    better: Callable[[Judged, Judged], bool] = _greater, whole: nn.Module | None = None,
    before: Callable[[int], object] = lambda epoch: None,
    after: Callable[[int, float, Judged], object] = lambda epoch, loss, judged: None,
) -> Learnt[Kept, Judged]:  # fmt: skip
    """Train ``net``, which is left at the last epoch.

    judge: called behind each epoch; keep: where that is ``better`` than all before. whole: what has the parameters,
    where that is more than ``net``, as adapters beside it. before, after: are told each epoch, from 0, and behind it
    the mean loss of its steps and the judgement. A :class:`selvedge.QAT` counts its own epochs, in which ranges and
    norms freeze. Raises :class:`Diverged`, and ``InvalidInput`` where the model refuses a batch.
    """
    trained = net if whole is None else whole
    size = min(course.batch, samples)
    steps = samples // size
    optimizer = adam(trained, course.rate)
    falling = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, course.epochs * steps)
    judged: list[Judged] = []
    found: Learnt[Kept, Judged] | None = None
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(course.seed)
        for epoch in _epochs(net, course.epochs):
            before(epoch)
            trained.train()
            batches = course.order(epoch)[: steps * size].reshape(-1, size)
            try:
                mean = passed(batches, loss, optimizer, lambda step: falling.step(), epoch, course.rate)
            except Diverged as error:
                error.learnt = found
                raise
            judged.append(judge())
            if found is None or better(judged[-1], judged[found.epoch - 1]):
                found = Learnt(keep(), epoch + 1, tuple(judged))
            else:
                found = Learnt(found.best, found.epoch, tuple(judged))
            after(epoch, mean, judged[-1])
    assert found is not None
    return found


def adam(net: nn.Module, rate: float) -> torch.optim.Adam:
    """Of what learns of ``net``. Raises ``InvalidInput`` where nothing does."""
    own = [p for p in net.parameters() if p.requires_grad]
    if not own:
        raise InvalidInput("model", "without parameters that learn", "give one with some that require gradients")
    return torch.optim.Adam(own, rate)


def passed(
    batches: Iterable[Rows], loss: Loss, optimizer: torch.optim.Optimizer, after: Callable[[int], object], epoch: int,
    rate: float, field: str = "lr",
) -> float:  # fmt: skip
    """A step for each of ``batches``, and the mean loss. ``after`` is told the number of each, from 0. ``epoch``, from
    0, the highest ``rate`` and what the caller calls it are for :class:`Diverged`."""
    total, count = 0.0, 0
    for rows in batches:
        optimizer.zero_grad()
        try:
            value = loss(rows)
        except SelvedgeError:
            raise
        except ValueError as error:  # as of a norm that sees one sample
            text = one_line((str(error).strip() or type(error).__name__).splitlines()[0])
            raise InvalidInput("batch", len(rows), f"the model cannot be trained on it: {text}") from error
        number = float(value.detach())
        if not math.isfinite(number):
            raise Diverged(field, rate, number, epoch + 1)
        value.backward()
        optimizer.step()
        after(count)
        total, count = total + number, count + 1
    return total / count


def _epochs(net: nn.Module, count: int) -> Iterator[int]:
    own = getattr(net, "epochs", None)
    return own(count) if callable(own) else iter(range(count))
