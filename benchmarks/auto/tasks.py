"""Four transfers: what the model knew, and what the device's owner has, split into training, validation and test."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn

from . import sources
from .nets import one_dimensional, two_dimensional
from .sources import Array

Pair = tuple[Array, Array]
Rows = Array


@dataclass(frozen=True, slots=True)
class Task:
    """``model``: as it was trained on the source, with a new last layer where the classes are new (``fresh``)."""

    name: str
    model: nn.Module
    train: Pair
    validation: Pair
    test: Pair
    fresh: bool


def mnist_to_omniglot(seed: int, weights: Path) -> Task:
    """30 characters by 20 drawers: 8 drawers train, 4 validate, 8 test."""
    x, y, drawer = sources.omniglot()
    rng = np.random.default_rng([1, seed])
    kept = rng.choice(int(y.max()) + 1, 30, replace=False)
    number = {int(k): i for i, k in enumerate(kept)}
    order = rng.permutation(20)
    mine = np.isin(y, kept)
    labels = np.array([number.get(int(k), 0) for k in y], np.int32)
    parts = [mine & np.isin(drawer, who) for who in np.split(order, [8, 12])]
    model = _pretrained("mnist", seed, weights, lambda: two_dimensional(10), sources.mnist, epochs=3)
    return Task("mnist-omniglot", _fresh(model, 30, seed), *((x[p], labels[p]) for p in parts), True)


def mnist_to_fashion(seed: int, weights: Path) -> Task:
    """Ten kinds of clothes: 20 of each train, 10 validate, 60 test."""
    x, y = sources.fashion()
    rng = np.random.default_rng([2, seed])
    order = np.stack([rng.permutation(np.flatnonzero(y == c)) for c in range(10)])
    parts = [rows.ravel() for rows in np.split(order, [20, 30], axis=1)]
    model = _pretrained("mnist", seed, weights, lambda: two_dimensional(10), sources.mnist, epochs=3)
    return Task("mnist-fashion", _fresh(model, 10, seed), *((x[p], y[p]) for p in parts), True)


def fsdd_unseen_speaker(seed: int, weights: Path) -> Task:
    """A sixth speaker's digits: 6 of each train, 4 validate, 40 test."""
    x, y, speaker = sources.fsdd()
    own = seed % 6
    rng = np.random.default_rng([3, seed])
    order = np.stack([rng.permutation(np.flatnonzero((speaker == own) & (y == c))) for c in range(10)])
    parts = [rows.ravel() for rows in np.split(order, [6, 10], axis=1)]
    others = speaker != own
    model = _pretrained(f"fsdd-{own}", seed, weights, lambda: two_dimensional(10), lambda: (x[others], y[others]), 12)
    return Task("fsdd-speaker", model, *((x[p], y[p]) for p in parts), False)


def har_unseen_subject(seed: int, weights: Path) -> Task:
    """A 23rd subject's walks with the phone, in their order: 30 % train, 20 % validate, the rest test."""
    x, y, subject, walk = sources.har()
    own = int(np.random.default_rng([4, 0]).permutation(23)[seed])
    rows = np.flatnonzero(subject == own)
    walks = np.unique(walk[rows])
    cut = np.array([len(walks) * 3 // 10, len(walks) // 2])
    parts = [rows[np.isin(walk[rows], which)] for which in np.split(walks, cut)]
    others = subject != own
    model = _pretrained(f"har-{own}", seed, weights, lambda: one_dimensional(5), lambda: (x[others], y[others]), 8)
    return Task("har-subject", model, *((x[p], y[p]) for p in parts), False)


TASKS: Mapping[str, Callable[[int, Path], Task]] = {
    "mnist-omniglot": mnist_to_omniglot,
    "mnist-fashion": mnist_to_fashion,
    "fsdd-speaker": fsdd_unseen_speaker,
    "har-subject": har_unseen_subject,
}


def _pretrained(
    name: str, seed: int, weights: Path, make: Callable[[], nn.Module], data: Callable[[], Pair], epochs: int
) -> nn.Module:
    """Trained on the source in PyTorch, or read from ``weights``, where it is kept."""
    torch.manual_seed(seed)
    model, path = make(), weights / f"{name}-{seed}.pt"
    if not path.exists():
        _train(model, *data(), epochs, seed)
        path.parent.mkdir(parents=True, exist_ok=True)
        torch.save(model.state_dict(), path)
    model.load_state_dict(torch.load(path, weights_only=True))
    return model.eval()


def _train(model: nn.Module, x: Array, y: Array, epochs: int, seed: int) -> None:
    inputs, labels = torch.from_numpy(np.float32(x)), torch.from_numpy(y.astype(np.int64))
    optimizer = torch.optim.Adam(model.parameters(), 3e-3)
    rng, size = np.random.default_rng(seed), 64
    steps = epochs * (len(x) // size)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 3e-3, total_steps=steps)
    model.train()
    order = np.concatenate([rng.permutation(len(x))[: len(x) // size * size] for _ in range(epochs)])
    for rows in order.reshape(-1, size):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(inputs[rows]), labels[rows]).backward()
        optimizer.step()
        schedule.step()


def _fresh(model: nn.Module, classes: int, seed: int) -> nn.Module:
    """``model`` with a last layer for other classes."""
    assert isinstance(model, nn.Sequential)
    assert isinstance(model[-1], nn.Linear)
    torch.manual_seed(1000 + seed)
    return nn.Sequential(*list(model)[:-1], nn.Linear(model[-1].in_features, classes)).eval()
