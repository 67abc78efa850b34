"""What cutting channels and setting zeros in steps have in common: what is given, and the epochs between the steps."""

from __future__ import annotations

import fnmatch
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from torch import nn

from ..errors import InvalidInput
from . import given
from .gradients import Progress
from .targets import Batch, Loss, batches, cross_entropy

RANKS = ("global", "layer")
# What is left to do behind step k of n, as a share of all that is done.
SCHEDULES: Mapping[str, Callable[[float], float]] = {
    "linear": lambda done: 1 - done,
    "cubic": lambda done: (1 - done) ** 3,  # Zhu and Gupta, arXiv:1710.01878, eq. 1
}


class Row(Protocol):
    """Of a table of criteria. ``data``: whether it looks at samples."""

    @property
    def data(self) -> bool: ...


def silent(done: int, total: int, name: str) -> None:
    """A progress that is told to nobody."""


@dataclass(frozen=True, slots=True)
class Settings:
    """``count``: of steps. ``keep``: names and globs of layers that stay. ``batches``: samples, where ``criterion``
    looks at them."""

    count: int
    schedule: str
    criterion: str
    rank: str
    keep: tuple[str, ...]
    seed: int
    batches: Sequence[Batch]
    loss: Loss
    progress: Progress

    def left(self, done: int) -> float:
        """What is left to do behind the step that follows ``done`` of them. Raises ``InvalidInput`` where none does."""
        if done == self.count:
            raise InvalidInput("steps", self.count, "all are done: begin anew with the model as it is to go further")
        return SCHEDULES[self.schedule]((done + 1) / self.count)


def settings(
    model: nn.Module, criteria: Mapping[str, Row], *, steps: int, schedule: str, criterion: str, data: Any,
    loss: Loss | None, rank: str, keep: Sequence[str], seed: int, on_progress: Progress,
) -> Settings:  # fmt: skip
    """Of what a user gives. Raises ``InvalidInput`` for what cannot be used."""
    count = given.count("steps", steps)
    given.choice("schedule", schedule, list(SCHEDULES))
    given.choice("criterion", criterion, list(criteria))
    looks = criteria[criterion].data
    if looks and data is None:
        free = ", ".join(k for k, row in criteria.items() if not row.data)
        raise InvalidInput(
            "data", "not given", f"criterion {criterion} looks at gradients: give (x, y), or take {free}"
        )
    given.choice("rank", rank, RANKS)
    layers = given.names("keep", model, keep, fnmatch.fnmatchcase)
    given.count("seed", seed, 0)
    given.called("on_progress", on_progress)
    if loss is not None:
        given.called("loss", loss)
    samples = batches(data) if looks else []
    return Settings(count, schedule, criterion, rank, layers, seed, samples, loss or cross_entropy, on_progress)


def trained(
    steps: Iterable[object], model: nn.Module, left: int, train_epoch: Callable[[nn.Module], object], epochs: int,
    tell: Progress,
) -> nn.Module:  # fmt: skip
    """``model`` behind all ``steps``, ``left`` of them, with ``epochs`` calls of ``train_epoch(model)`` behind each; in
    eval mode. tell: is told (epochs done, in all, "epoch")."""
    given.called("train_epoch", train_epoch)
    count = given.count("epochs", epochs, 0)
    given.called("on_progress", tell)
    done = 0
    for _ in steps:
        for _ in range(count):
            tell(done, count * left, "epoch")
            model.train()
            train_epoch(model)
            done += 1
    tell(done, count * left, "epoch")
    return model.eval()
