"""A starting model for the tests of a learner: a small network that PyTorch has trained on some of scikit-learn's
digits, and what is left of them for anchor and stream."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import torch
from sklearn.datasets import load_digits
from torch import nn

import selvedge as sv
from selvedge.learn.guard.anchor import Anchor
from selvedge.learn.learner import Learner
from selvedge.learn.memory.replay import Replay
from selvedge.learn.metrics import predictions
from selvedge.run.session import Session

SHAPE = (1, 8, 8)
RATE = 0.01


@lru_cache(maxsize=1)
def data() -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Pictures [n, 1, 8, 8] in bytes, 0..16, and labels: "train" 600, "anchor" 500, "stream" 697."""
    found = load_digits()
    order = np.random.default_rng(3).permutation(len(found.target))
    x, y = np.uint8(found.images)[order, None], found.target[order].astype(np.int32)
    cuts = {"train": slice(0, 600), "anchor": slice(600, 1100), "stream": slice(1100, None)}
    return {name: (x[cut], y[cut]) for name, cut in cuts.items()}


def floats(x: np.ndarray) -> np.ndarray:
    return np.float32(x) * np.float32(1 / 16)


@lru_cache(maxsize=1)
def _trained() -> nn.Module:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Flatten(), nn.Linear(64, 24), nn.ReLU(), nn.Linear(24, 10))
    x, y = data()["train"]
    inputs, labels = torch.from_numpy(floats(x)), torch.from_numpy(y).long()
    optimiser = torch.optim.Adam(net.parameters(), 0.01)
    for _ in range(80):
        optimiser.zero_grad()
        nn.functional.cross_entropy(net(inputs), labels).backward()  # type: ignore[no-untyped-call]
        optimiser.step()
    return net


@lru_cache(maxsize=2)
def _plan(momentum: float) -> sv.Plan:
    optimiser = sv.SGD(lr=RATE, momentum=momentum)
    scale = sv.Preprocess(scale=(1 / 16,), offset=(0.0,))
    return sv.plan(_trained(), torch.zeros(4, *SHAPE), optimizer=optimiser, preprocess=scale, name="small")


@lru_cache(maxsize=8)
def _compiled(momentum: float, which: int) -> tuple[Session, dict[str, np.ndarray]]:
    made = sv.compile(_plan(momentum))
    return made, made.snapshot()


def session(momentum: float = 0.9, which: int = 0) -> Session:
    """With the starting weights, about 95 % right. Of one number it is the same one whenever it is asked for."""
    made, start = _compiled(momentum, which)
    made.restore(start, 0)
    return made


def begun(x: np.ndarray, y: np.ndarray) -> float:
    """How many of them the starting weights tell right, a fraction."""
    return float((predictions(session(which=7), x).argmax(1) == y).mean())


@lru_cache(maxsize=1)
def _reconstructing() -> sv.Plan:
    torch.manual_seed(1)
    net = nn.Sequential(nn.Linear(64, 8), nn.ReLU(), nn.Linear(8, 64))
    return sv.plan(net, torch.zeros(4, 64), loss="reconstruction", optimizer=sv.SGD(lr=0.05), name="rebuild")


def reconstructing() -> Session:
    return sv.compile(_reconstructing())


def anchor(margin: float = 0.08) -> Anchor:
    return Anchor(*data()["anchor"], margin=margin)


def memory(n: int = 40, seed: int = 0) -> Replay:
    return Replay(66 + n * 257, SHAPE, np.float32, classes=10, seed=seed)


def learner(of: Session | None = None, **settings: Any) -> Learner:
    given: dict[str, Any] = {"memory": memory(), "held_out": memory(10, 1), "anchor": anchor(), **settings}
    return Learner(of or session(), **given)


def grey(x: np.ndarray) -> np.ndarray:
    """Another camera: less contrast, on a grey ground."""
    return np.ascontiguousarray(np.float32(0.4) * floats(x) + np.float32(0.5))


def follow(own: Learner, x: np.ndarray, y: np.ndarray) -> None:
    for sample, label in zip(x, y, strict=True):
        own.learn_one(sample, int(label))


def right(own: Learner, x: np.ndarray, y: np.ndarray) -> float:
    return float((own.predict_many(x).argmax(1) == y).mean())


def same(one: dict[str, np.ndarray], other: dict[str, np.ndarray]) -> bool:
    """Bit for bit, under the same names."""
    return one.keys() == other.keys() and all(
        a.dtype == other[n].dtype and a.shape == other[n].shape and a.tobytes() == other[n].tobytes()
        for n, a in one.items()
    )
