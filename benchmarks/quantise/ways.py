"""One network, quantised in every way, with equal effort: all have the same epochs in all, and the same choice of one.

The float model trains for half of the epochs; from there the float baseline trains the other half as it is, and QAT the
other half with fake quantisation, both at the same rates. The epoch is chosen on validation data for each; the last
one is shown too. Post-training quantisation starts from the float baseline's chosen epoch.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import nn

import selvedge as sv

from .runtimes import runtimes
from .tasks import Task

RATE, LATE, BATCH = 3e-3, 1e-3, 64
CALIBRATION = 256
QATS = {"QAT int8": {}, "QAT w4a8": {"weights": "int4", "learned_step": True}}
PTQS = {
    "PTQ minmax": {},
    "PTQ mse": {"observer": "mse"},
    "PTQ w4a8": {"weights": "int4", "observer": "mse"},
    "PTQ per tensor": {"per_tensor": True},
    "PTQ per tensor, unequal channels": {"per_tensor": True},
    "PTQ per tensor, unequal channels, equalised": {"per_tensor": True, "equalise": True},
}
RUN = ("PTQ minmax", "QAT int8")  # natively and by ONNX Runtime too
SKEW = 100.0  # the widest depthwise channel over the narrowest, undone by the next layer


@dataclass(frozen=True, slots=True)
class Outcome:
    """``best``, ``last``: for each test sample whether it is right, at the chosen epoch and at the last; ``ratio``:
    bytes over those of float; ``runtimes``: what :func:`runtimes` says of some ways."""

    way: str
    best: np.ndarray
    last: np.ndarray
    epoch: int
    ratio: float
    runtimes: Mapping[str, float] = field(default_factory=dict)


def ways(task: Task, seed: int) -> Iterator[Outcome]:
    """Every way on one task; the first is float."""
    torch.manual_seed(seed)
    net, half = task.make(), task.epochs // 2
    for _ in _epochs(net, task, half, RATE, seed):
        pass
    flat, states = copy.deepcopy(net), []
    for score in _epochs(flat, task, task.epochs - half, LATE, seed + 1):
        states.append((score, copy.deepcopy(flat.state_dict())))
    at = max(range(len(states)), key=lambda i: states[i][0])
    last = _right(flat, task.test)
    flat.load_state_dict(states[at][1])
    yield Outcome("float", _right(flat, task.test), last, half + at, 1.0)
    sample = torch.from_numpy(task.train[0][:CALIBRATION])
    for way, given in PTQS.items():
        model = _unequal(flat, seed) if "unequal" in way else flat
        if model is None:
            continue
        made = sv.quantise(model, sample, wanted_agreement=0.0, **given)
        right = _right(made, task.test)
        told = runtimes(flat, made, task.test[0]) if way in RUN else {}
        yield Outcome(way, right, right, half + at, made.facts.bytes / made.facts.float_bytes, told)
    for way, given in QATS.items():
        qat = sv.QAT(copy.deepcopy(net), sample, **given)
        best, epoch, chosen, made = (-1.0, 0.0), 0, None, None
        steps = qat.epochs(task.epochs - half)
        for i, score in enumerate(_epochs(qat, task, task.epochs - half, LATE, seed + 1, steps)):
            made = qat.convert()
            score = _score(made, task.validation)  # of the integers, not of the simulation
            if score > best:
                best, epoch, chosen = score, half + i, made
        assert chosen is not None
        assert made is not None
        facts = chosen.facts
        told = runtimes(flat, chosen, task.test[0]) if way in RUN else {}
        right, last = _right(chosen, task.test), _right(made, task.test)
        yield Outcome(way, right, last, epoch, facts.bytes / facts.float_bytes, told)


def _epochs(
    net: nn.Module, task: Task, count: int, rate: float, seed: int, steps: Iterator[int] | None = None
) -> Iterator[tuple[float, float]]:
    """Train; (accuracy, -loss) on validation data behind each epoch."""
    x, y = torch.from_numpy(task.train[0]), torch.from_numpy(task.train[1].astype(np.int64))
    optimizer = torch.optim.Adam(net.parameters(), rate)
    total = count * (len(y) // BATCH)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, total)
    rng = np.random.default_rng([21, seed])
    for _ in range(count) if steps is None else steps:
        net.train()
        for rows in rng.permutation(len(y))[: len(y) // BATCH * BATCH].reshape(-1, BATCH):
            optimizer.zero_grad()
            nn.functional.cross_entropy(net(x[rows]), y[rows]).backward()
            optimizer.step()
            schedule.step()
        net.eval()
        yield _score(net, task.validation)


def _score(net: Callable[[torch.Tensor], torch.Tensor], data: tuple[np.ndarray, np.ndarray]) -> tuple[float, float]:
    z, y = _outputs(net, data[0]), torch.from_numpy(data[1].astype(np.int64))
    return float((z.argmax(1) == y).double().mean()), -float(nn.functional.cross_entropy(z, y))


def _right(net: nn.Module, data: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    if not isinstance(net, sv.Quantised):
        net.eval()
    return _outputs(net, data[0]).argmax(1).numpy() == data[1]


@torch.no_grad()
def _outputs(net: Callable[[torch.Tensor], torch.Tensor], x: np.ndarray) -> torch.Tensor:
    return torch.cat([net(torch.from_numpy(x[i : i + 256])) for i in range(0, len(x), 256)])


def _unequal(net: nn.Module, seed: int) -> nn.Module | None:
    """The same function, with depthwise channels up to :data:`SKEW` times each other: gamma and beta of the norm behind
    a depthwise layer are multiplied, and what the next layer reads is divided. None for a network without any."""
    made, found = copy.deepcopy(net), False
    parts = list(made)
    with torch.no_grad():
        for i, part in enumerate(parts):
            if isinstance(part, nn.Conv2d) and part.groups > 1:
                drawn = torch.rand(part.out_channels, generator=torch.Generator().manual_seed(seed + i))
                factor, found = SKEW ** (drawn - 0.5), True
                parts[i + 1].weight.mul_(factor)
                parts[i + 1].bias.mul_(factor)
                parts[i + 3].weight.div_(factor.reshape(1, -1, 1, 1))
    return made if found else None
