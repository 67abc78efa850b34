"""Who is attacked: devices that learn digits, each by its own participant and session; and what the public has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

import selvedge as sv
from benchmarks.never_worse.digits import sheet
from selvedge.federate.client.session import state_of
from selvedge.federate.coordinator import Event, Taken
from selvedge.federate.layout import Layout

Array = npt.NDArray[Any]
Shard = tuple[Array, Array]
SIDE, CLASSES, HIDDEN = 28, 10, 128
RATE = 0.1
OWN, PUBLIC = range(4), 19  # sheets of the victims, and the one that attackers have
SHAPES = {"dense": (SIDE * SIDE,), "conv": (1, SIDE, SIDE)}


def net(kind: str, seed: int) -> nn.Sequential:
    """As a server would begin it. dense: 784-128-10; conv: two convolutions and a linear layer; ReLU, with biases."""
    torch.manual_seed(1000 + seed)
    if kind == "dense":
        return nn.Sequential(nn.Linear(SIDE * SIDE, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, CLASSES))
    return nn.Sequential(
        nn.Conv2d(1, 8, 5, 2, 2), nn.ReLU(), nn.Conv2d(8, 16, 5, 2, 2), nn.ReLU(), nn.Flatten(),
        nn.Linear(16 * (SIDE // 4) ** 2, CLASSES),
    )  # fmt: skip


def learnt(model: nn.Sequential, steps: int = 300, batch: int = 32) -> nn.Sequential:
    """The same after so many steps on the public's digits."""
    x, y = public()
    shape = (SIDE * SIDE,) if isinstance(model[0], nn.Linear) else (1, SIDE, SIDE)
    optimizer = torch.optim.SGD(model.parameters(), RATE)
    draw = np.random.default_rng(5)
    for _ in range(steps):
        rows = draw.integers(0, len(y), batch)
        optimizer.zero_grad()
        labels = torch.from_numpy(y[rows]).long()
        nn.functional.cross_entropy(model(torch.from_numpy(x[rows].reshape(-1, *shape))), labels).backward()
        optimizer.step()
    return model


@lru_cache(maxsize=1)
def public() -> Shard:
    """3,000 digits that no victim has: float32 [n, 28, 28] in 0..1, int32 [n]."""
    x, y = sheet(PUBLIC)
    return np.float32(x[:, 0] / 255), y


@lru_cache(maxsize=1)
def _victims() -> Shard:
    x, y = (np.concatenate(part) for part in zip(*(sheet(number) for number in OWN), strict=True))
    return np.float32(x[:, 0] / 255), y


def drawn(count: int, each: int, draw: np.random.Generator) -> list[Shard]:
    """``each`` digits for each of ``count`` devices: float32 [each, 28, 28] in 0..1, int32 [each]."""
    x, y = _victims()
    rows = draw.permutation(len(y))[: count * each].reshape(count, each)
    return [(x[some], y[some]) for some in rows]


@lru_cache(maxsize=8)
def session(kind: str, batch: int) -> sv.Session:
    """Native, of one step of ``batch`` digits."""
    return sv.compile(sv.plan(net(kind, 0), torch.zeros(batch, *SHAPES[kind]), optimizer=sv.SGD(RATE)))


def state(model: nn.Sequential) -> dict[str, Array]:
    return {name: value.detach().numpy().copy() for name, value in model.state_dict().items()}


def layout(kind: str) -> Layout:
    return Layout.of(state(net(kind, 0)))


def changes(
    kind: str, begin: Mapping[str, Array], shards: Sequence[Shard], batch: int, *, up: str = "float32",
    epochs: int = 1, seed: int = 0,
) -> Array:  # fmt: skip
    """What a server has decoded of one round's updates, device by device: float32 [devices, size].

    Nothing of it is computed beside the system: the server sends ``begin`` as a task, each device's participant lets
    the native session learn, and its signed body goes through the codec ``up`` and out of it again.
    """
    own = session(kind, batch)
    own.load_state_dict({**state_of(own), **begin})
    came: dict[str, Array] = {}

    def heard(event: Event) -> None:
        if isinstance(event, Taken):
            came[event.client] = event.change.copy()

    shaped = [(np.ascontiguousarray(x.reshape(len(x), *SHAPES[kind])), y) for x, y in shards]
    local = sv.Local(epochs=epochs, rate=RATE)
    run = sv.Federation("attacked", rounds=1, clients=len(shards), up=up, local=local, seed=seed)
    sv.simulate(own, shaped, run, on_event=heard)
    return np.stack([came[name] for name in sorted(came)])
