"""A model that a few devices learn together until it knows their digits by heart, and whose digits these were."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from sklearn.datasets import load_digits
from torch import nn

import selvedge as sv
from selvedge.federate.client.session import SessionTrainer
from selvedge.federate.privacy.randomness import Keystream

from .seen import noised

Array = npt.NDArray[Any]
EACH, BATCH, RATE = 10, 10, 0.1  # digits of a device
CLIP = 0.5  # the length of a change that is cut to it; in the first round half of them are longer than 0.38


@lru_cache(maxsize=1)
def digits() -> tuple[Array, Array]:
    """scikit-learn's, float32 [1797, 64] in 0..1, int32 [1797]."""
    found = load_digits()
    return np.float32(found.images / 16).reshape(-1, 64), np.int32(found.target)


def net() -> nn.Sequential:
    torch.manual_seed(7)
    return nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))


@lru_cache(maxsize=1)
def session() -> sv.Session:
    return sv.compile(sv.plan(net(), torch.zeros(BATCH, 64), optimizer=sv.SGD(RATE)))


def beginning() -> Array:
    """float32 [size]."""
    return SessionTrainer(session(), *(a[:EACH] for a in digits())).layout.vector(
        {name: value.detach().numpy() for name, value in net().state_dict().items()}
    )


def trainers(members: Array) -> list[SessionTrainer]:
    """A device for every :data:`EACH` of the rows ``members``."""
    x, y = digits()
    parts = members.reshape(-1, EACH)
    return [SessionTrainer(session(), x[rows], y[rows], seed=i) for i, rows in enumerate(parts)]


def changes(devices: Sequence[SessionTrainer], model: Array, number: int, epochs: int) -> Array:
    """Of each device in round ``number``: float32 [devices, size]."""
    local = {"epochs": epochs, "rate": RATE, "mu": 0.0}
    return np.stack([one.train(model, local, number, None, None).vector - model for one in devices])


def learnt(
    members: Array, rounds: int, epochs: int, noise: float | None = None, seed: int = 0, clip: float = CLIP
) -> Array:
    """The model, float32 [size], after so many rounds of all devices of ``members``. noise: on each round's sum, as a
    multiple of ``clip``, to which every change is cut then."""
    model, devices = beginning(), trainers(members)
    source = Keystream(f"membership {seed}".encode())
    for number in range(rounds):
        each = changes(devices, model, number, epochs)
        moved = each.mean(0) if noise is None else noised(each, noise, source, clip)
        model = np.float32(model + moved)
    return model


def losses(model: Array, rows: Array) -> tuple[Array, Array]:
    """(cross-entropy, whether it is right) of the digits ``rows`` by the model [size]: float64 [n], bool [n]."""
    x, y = digits()
    logits = _logits(model, x[rows].astype(np.float64))
    logits = logits - logits.max(1, keepdims=True)
    loss = np.log(np.exp(logits).sum(1)) - logits[np.arange(len(rows)), y[rows]]
    return loss, logits.argmax(1) == y[rows]


def gradients(model: Array, rows: Array) -> Array:
    """That of the loss of each digit alone: float64 [n, size]."""
    x, y = digits()
    x64 = x[rows].astype(np.float64)
    w1, b1, w2, b2 = _parts(model)
    before = x64 @ w1.T + b1
    hidden = np.maximum(before, 0)
    logits = hidden @ w2.T + b2
    share = np.exp(logits - logits.max(1, keepdims=True))
    out = share / share.sum(1, keepdims=True)
    out[np.arange(len(rows)), y[rows]] -= 1
    back = (out @ w2) * (before > 0)
    first = (back[:, :, None] * x64[:, None]).reshape(len(rows), -1)
    second = (out[:, :, None] * hidden[:, None]).reshape(len(rows), -1)
    return np.concatenate([first, back, second, out], axis=1)


def _logits(model: Array, x: Array) -> Array:
    w1, b1, w2, b2 = _parts(model)
    return np.maximum(x @ w1.T + b1, 0) @ w2.T + b2


def _parts(model: Array) -> tuple[Array, Array, Array, Array]:
    m = model.astype(np.float64)
    a, b, c = 64 * 64, 64 * 64 + 64, 64 * 64 + 64 + 640
    return m[:a].reshape(64, 64), m[a:b], m[b:c].reshape(10, 64), m[c:]
