"""One network, pruned in every way, with equal effort: all have the same epochs in all, and the same choice of one.

The network trains for half of the epochs; from there the unpruned baseline trains the other half as it is, and each
pruned one the other half in steps of pruning and training, all from the same rate. The epoch is chosen on validation
data for each, of the pruned ones behind the last cut; the last one is shown too. int8 is quantised after training from
the chosen epoch.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn

import selvedge as sv
from benchmarks.quantise.tasks import Task

RATE, LATE, BATCH = 3e-3, 1e-3, 64
SAMPLES = 256  # that gradients, and ranges of int8, are of
MULTIPLE = 4
STEPS = 3
LEFT = (0.5, 0.4)  # of the multiplications
CRITERIA = ("random", "l1", "l2", "taylor", "hessian", "bn_scale")
Loss = Callable[[nn.Module, Any, torch.Tensor], torch.Tensor]


@dataclass(frozen=True, slots=True)
class Outcome:
    """``best``, ``last``: for each test sample whether it is right, at the chosen epoch and at the last; ``share``:
    what is left of the unpruned float network's "macs", "parameters" and "bytes"."""

    way: str
    best: np.ndarray
    last: np.ndarray
    epoch: int
    share: Mapping[str, float]


def cross_entropy(model: nn.Module, x: Any, y: torch.Tensor) -> torch.Tensor:
    return nn.functional.cross_entropy(model(x), y)


def ways(task: Task, seed: int, criteria: tuple[str, ...] = CRITERIA, tuned: Loss = cross_entropy) -> Iterator[Outcome]:
    """Every way on one task; the first is the unpruned network. tuned: the loss of what is trained behind each cut,
    where a teacher's goes."""
    torch.manual_seed(seed)
    net, half = task.make(), task.epochs // 2
    for _ in _epochs(net, task, half, RATE, seed):
        pass
    whole = {"macs": 1.0, "parameters": 1.0, "bytes": 1.0}
    flat, size = copy.deepcopy(net), _bytes(net)
    yield from _chosen(
        "unpruned", flat, _epochs(flat, task, task.epochs - half, LATE, seed + 1), task, half, whole, size
    )
    x, y = (torch.from_numpy(part[:SAMPLES]) for part in (task.train[0], task.train[1].astype(np.int64)))
    for left in LEFT:
        for criterion in criteria:
            if criterion == "bn_scale" and not any(isinstance(m, nn.BatchNorm2d) for m in net.modules()):
                continue
            pruner = sv.Pruner(
                net, x[:1], {"macs": left}, steps=STEPS, schedule="cubic", criterion=criterion, data=(x, y),
                multiple=MULTIPLE, seed=seed,
            )  # fmt: skip
            later = task.epochs - half
            counts = np.diff(np.linspace(0, later, STEPS + 1).astype(int)[[0, 1, 2, 3]])
            for step, count in zip(range(STEPS - 1), counts, strict=False):
                pruner.step()
                for _ in _epochs(pruner.model, task, count, LATE, seed + 1 + step, tuned):
                    pass
            step_ = pruner.step()
            share = {k: step_.share[k] for k in whole}
            epochs = _epochs(pruner.model, task, int(counts[-1]), LATE, seed + STEPS, tuned)
            name = f"-{100 * (1 - left):.0f} % {criterion}"
            yield from _chosen(name, pruner.model, epochs, task, task.epochs - int(counts[-1]), share, size)


def _chosen(
    way: str, net: nn.Module, epochs: Iterator[tuple[float, float]], task: Task, first: int, share: Mapping[str, float],
    size: int,
) -> Iterator[Outcome]:  # fmt: skip
    """The float network, and int8 of it, each at its chosen epoch and at its last."""
    states = [(score, copy.deepcopy(net.state_dict())) for score in epochs]
    at = max(range(len(states)), key=lambda i: states[i][0])
    last, small = _right(net.eval(), task), _int8(net, task)
    small_last = _right(small, task)
    net.load_state_dict(states[at][1])
    yield Outcome(way, _right(net.eval(), task), last, first + at, share)
    made = _int8(net, task)
    yield Outcome(
        f"{way}, int8", _right(made, task), small_last, first + at, {**share, "bytes": made.facts.bytes / size}
    )


def _int8(net: nn.Module, task: Task) -> sv.Quantised:
    return sv.quantise(net.eval(), torch.from_numpy(task.train[0][:SAMPLES]), wanted_agreement=0.0)


def _bytes(net: nn.Module) -> int:
    return sum(t.numel() * t.element_size() for t in net.state_dict().values())


def _epochs(
    net: nn.Module, task: Task, count: int, rate: float, seed: int, loss: Loss = cross_entropy
) -> Iterator[tuple[float, float]]:
    """Train; (accuracy, -loss) on validation data behind each epoch."""
    x, y = torch.from_numpy(task.train[0]), torch.from_numpy(task.train[1].astype(np.int64))
    optimizer = torch.optim.Adam(net.parameters(), rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, max(1, count * (len(y) // BATCH)))
    rng = np.random.default_rng([31, seed])
    for _ in range(count):
        net.train()
        for rows in rng.permutation(len(y))[: len(y) // BATCH * BATCH].reshape(-1, BATCH):
            optimizer.zero_grad()
            loss(net, x[rows], y[rows]).backward()
            optimizer.step()
            schedule.step()
        net.eval()
        z, wanted = _outputs(net, task.validation[0]), torch.from_numpy(task.validation[1].astype(np.int64))
        yield float((z.argmax(1) == wanted).double().mean()), -float(nn.functional.cross_entropy(z, wanted))


def _right(net: Callable[[torch.Tensor], torch.Tensor], task: Task) -> np.ndarray:
    return np.asarray(_outputs(net, task.test[0]).argmax(1).numpy() == task.test[1])


@torch.no_grad()
def _outputs(net: Callable[[torch.Tensor], torch.Tensor], x: np.ndarray) -> torch.Tensor:
    return torch.cat([net(torch.from_numpy(x[i : i + 256])) for i in range(0, len(x), 256)])
