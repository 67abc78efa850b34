"""One student, alone and taught in every way: the same first weights, batches, optimiser and number of epochs for all.

Settings are the library's defaults: what a user has who tunes nothing. (The weights of DKD, AttentionTransfer and
Relational were lowered after a look at one case of HAR: for them HAR is no untouched test.) The epoch is
chosen on validation data for each; the last one is kept too. The teacher's own epochs come before, and are not the
student's.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

import selvedge as sv

from .tasks import Task

RATE, BATCH = 3e-3, 64
TEACHER, STUDENT = 1.0, 0.25  # widths
AGAIN = "own generation"

WAYS: Mapping[str, tuple[Any, ...]] = {
    "Logits": (sv.Logits(),),
    "DKD": (sv.DKD(),),
    "Hint": (sv.Hint(),),
    "AttentionTransfer": (sv.AttentionTransfer(),),
    "Relational": (sv.Relational(),),
    "Logits + Hint": (sv.Logits(), sv.Hint()),
    "own average": (sv.Logits(),),
    AGAIN: (sv.Logits(),),
}


@dataclass(frozen=True, slots=True)
class Outcome:
    """``best``, ``last``: for each test sample whether it is right, at the chosen epoch (from 0) and at the last.
    ``parameters``: of what is used afterwards."""

    way: str
    best: np.ndarray
    last: np.ndarray
    epoch: int
    parameters: int


def ways(task: Task, seed: int) -> Iterator[Outcome]:
    """The teacher, the student alone, and the student in every way."""
    torch.manual_seed(seed)
    teacher = task.make(TEACHER)
    student = task.make(STUDENT)
    yield _trained("teacher", teacher, teacher, _labels(teacher), task, seed)
    alone = copy.deepcopy(student)
    yield _trained("alone", alone, alone, _labels(alone), task, seed)
    x = torch.from_numpy(task.train[0])
    for way, terms in WAYS.items():
        net = copy.deepcopy(student)
        who = {"own average": sv.SelfTeacher(), AGAIN: alone}.get(way, teacher)
        made = sv.Distil(net, who, list(terms), example=x[:4], seed=seed)
        with TemporaryDirectory() as folder:
            if way in ("Logits", "DKD", AGAIN):  # what is small enough to be kept
                made.cache(Path(folder) / "cache", x, dtype="float16")
            yield _trained(way, made, net, made.loss, task, seed)


def _labels(net: nn.Module) -> Callable[..., Tensor]:
    return lambda x, y, index: functional.cross_entropy(net(x), y)


def _trained(way: str, whole: nn.Module, net: nn.Module, loss: Callable[..., Tensor], task: Task, seed: int) -> Outcome:
    """Train ``whole``, which holds ``net`` and perhaps adapters; ``net`` is left at its chosen epoch."""
    x, y = torch.from_numpy(task.train[0]), torch.from_numpy(task.train[1].astype(np.int64))
    optimizer = torch.optim.Adam(whole.parameters(), RATE)
    size = len(y) // BATCH
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, task.epochs * size)
    rng = np.random.default_rng([22, seed])
    best, at, top = (-1.0, 0.0), 0, {}
    for epoch in range(task.epochs):
        whole.train()
        for rows in rng.permutation(len(y))[: size * BATCH].reshape(-1, BATCH):
            optimizer.zero_grad()
            loss(x[rows], y[rows], index=rows).backward()
            optimizer.step()
            schedule.step()
        whole.eval()
        score = _score(net, task.validation)
        if score > best:
            best, at, top = score, epoch, copy.deepcopy(net.state_dict())
    last = _right(net, task.test)
    net.load_state_dict(top)
    return Outcome(way, _right(net, task.test), last, at, sum(p.numel() for p in net.parameters()))


def _score(net: nn.Module, data: tuple[np.ndarray, np.ndarray]) -> tuple[float, float]:
    z, y = _outputs(net, data[0]), torch.from_numpy(data[1].astype(np.int64))
    return float((z.argmax(1) == y).double().mean()), -float(functional.cross_entropy(z, y))


def _right(net: nn.Module, data: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    return _outputs(net.eval(), data[0]).argmax(1).numpy() == data[1]


@torch.no_grad()
def _outputs(net: nn.Module, x: np.ndarray) -> Tensor:
    return torch.cat([net(torch.from_numpy(x[i : i + 256])) for i in range(0, len(x), 256)])
