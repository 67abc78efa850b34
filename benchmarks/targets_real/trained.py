"""Networks that are trained here and quantised after it, with test data that they have not seen."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache

import numpy as np
import torch
from torch import nn

import selvedge as sv
from benchmarks.auto import sources
from benchmarks.auto.nets import one_dimensional, two_dimensional
from benchmarks.quantise.tasks import Pair
from benchmarks.quantise.tasks import har as subjects
from selvedge.ir.integer.convert import quantise

from .network import Real

EPOCHS, BATCH, RATE, CALIBRATION = 10, 64, 3e-3, 256
GROUP = 50  # samples of one call


def har() -> tuple[nn.Module, Pair, Pair]:
    """15 of the 23 subjects train, 5 others test: seconds of six axes, five activities."""
    task = subjects(0, 0)
    return one_dimensional(5), task.train, task.test


def mnist() -> tuple[nn.Module, Pair, Pair]:
    """8,000 digits train, 4,000 test."""
    return two_dimensional(10), *_divided(*sources.mnist(), 8000)


def fsdd() -> tuple[nn.Module, Pair, Pair]:
    """Half of the 3,000 clips of spoken digits trains, the other half tests; all speakers in both."""
    x, y, _ = sources.fsdd()
    return two_dimensional(10), *_divided(x, y, 1500)


TASKS: Mapping[str, Callable[[], tuple[nn.Module, Pair, Pair]]] = {"har": har, "mnist": mnist, "fsdd": fsdd}
NEEDS = {"har": "har_sp_sw_23subjects", "mnist": "mnist_png", "fsdd": "fsdd"}


@lru_cache(maxsize=1)
def trained(task: str, samples: int | None = None, epochs: int = EPOCHS) -> Real:
    """The network of a task, int8 after training; samples: at most so many of the test data, else all. All seeded."""
    torch.manual_seed(0)
    net, (x, y), (test, labels) = TASKS[task]()
    _fit(net, x, y, epochs)
    count = min(samples or len(labels), len(labels)) // GROUP * GROUP
    test, labels = test[:count], labels[:count]
    made = sv.quantise(net, torch.from_numpy(x[:CALIBRATION]), wanted_agreement=0.0)
    network = sv.network(made, torch.from_numpy(test[:GROUP]), floats=False)
    by = network.inputs["x"].quant
    assert by is not None
    return Real(
        network,
        network,
        [quantise(group, by=by) for group in np.split(test, count // GROUP)],
        labels,
        {"float": _told(net, test), "simulated": _told(made, test)},
    )


def _divided(x: np.ndarray, y: np.ndarray, count: int) -> tuple[Pair, Pair]:
    rows = np.split(np.random.default_rng(31).permutation(len(y)), [count])
    first, second = ((x[r], y[r]) for r in rows)
    return first, second


def _fit(net: nn.Module, x: np.ndarray, y: np.ndarray, epochs: int) -> None:
    """Adam, the rate falling by a cosine."""
    optimizer = torch.optim.Adam(net.parameters(), RATE)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs * (len(y) // BATCH))
    given, wanted = torch.from_numpy(x), torch.from_numpy(y.astype(np.int64))
    rng = np.random.default_rng(32)
    net.train()
    for _ in range(epochs):
        for rows in rng.permutation(len(y))[: len(y) // BATCH * BATCH].reshape(-1, BATCH):
            optimizer.zero_grad()
            nn.functional.cross_entropy(net(given[rows]), wanted[rows]).backward()
            optimizer.step()
            schedule.step()
    net.eval()


@torch.no_grad()
def _told(net: Callable[[torch.Tensor], torch.Tensor], x: np.ndarray) -> np.ndarray:
    """Top answers."""
    return torch.cat([net(torch.from_numpy(rows)) for rows in np.split(x, len(x) // GROUP)]).argmax(1).numpy()
