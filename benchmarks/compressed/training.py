"""One way to train for everyone: Adam along a cosine, over the same views in the same order."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from .tasks import Task
from .views import views

COUNT = 8  # views of a sample
Loss = Callable[[Tensor, Tensor, Tensor], Tensor]  # of a batch, its labels, and its rows among all views
Forward = Callable[[Tensor], Tensor]


@dataclass(frozen=True, slots=True)
class Seen:
    """All views of the training samples, [COUNT * N, ...]; labels [N]."""

    x: Tensor
    y: Tensor

    @classmethod
    def of(cls, task: Task, seed: int) -> Seen:
        return cls(views(task.train[0], task.draw, COUNT, seed), task.train[1])


def labels(net: nn.Module) -> Loss:
    """The loss of a network alone."""
    return lambda x, y, index: functional.cross_entropy(net(x), y)


def epochs(
    whole: nn.Module, loss: Loss, seen: Seen, count: int, rate: float, batch: int, stream: list[int],
    numbers: Iterator[int] | None = None,
) -> Iterator[int]:  # fmt: skip
    """Trains ``whole`` for ``count`` epochs from ``rate`` down to 0; its number behind each. stream: of the order, and
    of which view of each sample. numbers: those of a QAT, which freezes as they come."""
    optimizer = torch.optim.Adam(whole.parameters(), rate)
    samples = len(seen.y)
    size = samples // batch
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, max(1, count * size))
    rng = np.random.default_rng(stream)
    for number in range(count) if numbers is None else numbers:
        whole.train()
        order = rng.permutation(samples)
        index = torch.from_numpy(rng.integers(COUNT, size=samples) * samples + order)
        for k in range(size):
            rows = index[k * batch : (k + 1) * batch]
            optimizer.zero_grad()
            loss(seen.x[rows], seen.y[rows % samples], rows).backward()
            optimizer.step()
            schedule.step()
        whole.eval()
        yield number


@dataclass(slots=True)
class Best:
    """The state that tells most of the validation samples right, the lower loss among equals; and the last."""

    score: tuple[float, float] = (-1.0, 0.0)
    epoch: int = -1
    state: dict[str, Any] | None = None

    def see(self, net: nn.Module, forward: Forward, task: Task, epoch: int) -> None:
        found = score(forward, task.validation)
        if found > self.score:
            self.score, self.epoch, self.state = found, epoch, copy.deepcopy(net.state_dict())


def score(forward: Forward, data: tuple[Tensor, Tensor]) -> tuple[float, float]:
    """(accuracy, -loss)."""
    z = outputs(forward, data[0])
    return float((z.argmax(1) == data[1]).double().mean()), -float(functional.cross_entropy(z, data[1]))


def right(forward: Forward, data: tuple[Tensor, Tensor]) -> np.ndarray:
    """bool [samples]."""
    return np.asarray((outputs(forward, data[0]).argmax(1) == data[1]).numpy())


@torch.no_grad()
def outputs(forward: Forward, x: Tensor) -> Tensor:
    return torch.cat([forward(x[i : i + 256]) for i in range(0, len(x), 256)])
