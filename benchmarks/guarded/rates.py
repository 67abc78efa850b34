"""A rate that is found, beside rates that are given: of a learner on a stream, and of one person's samples."""

from __future__ import annotations

from typing import Any, Literal, cast

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

import selvedge as sv
from benchmarks.auto import sources
from benchmarks.live.habits import habits
from benchmarks.never_worse.camera import CHANGES
from benchmarks.never_worse.digits import digits
from benchmarks.never_worse.starting import float_pictures, session
from benchmarks.never_worse.ways import HELD_OUT, MEMORY
from selvedge.learn.guard.anchor import Anchor
from selvedge.learn.habits import Habits
from selvedge.learn.learner import Learner
from selvedge.learn.memory.replay import Replay
from selvedge.learn.metrics import predictions
from selvedge.learn.personal import personalise

CAMERAS = ("dim", "fog", "turned")
LENGTH, ASKED, PEOPLE, FEW = 400, 1000, 3, 60
Rate = float | Literal["auto"]


def _all() -> list[Rate]:
    return [*habits("guarded")["rates"], "auto"]


def streams(seed: int, length: int = LENGTH) -> list[dict[str, Any]]:
    """A learner with default habits under another camera: % right on its pictures behind the stream, rate by rate."""
    rng, (x, y), anchor = np.random.default_rng([43, seed]), digits(seed).pool, digits(seed).anchor
    drawn = rng.choice(len(y), length + ASKED, replace=False)
    pictures, labels, shape = float_pictures(x[drawn]), y[drawn], (1, 28, 28)
    made = []
    for camera in CAMERAS:
        seen, right, found = CHANGES[camera](pictures), {}, ""
        for rate in _all():
            own = Learner(
                session(seed),
                memory=Replay(MEMORY, shape, np.float32, classes=10, seed=seed),
                held_out=Replay(HELD_OUT, shape, np.float32, classes=10, seed=seed + 1),
                anchor=Anchor(*anchor, margin=0.01),
                habits=Habits(rate=rate),
                seed=seed,
            )
            for sample, label in zip(seen[:length], labels[:length], strict=True):
                own.learn_one(sample, int(label))
            right[str(rate)] = float((own.predict_many(seen[length:]).argmax(1) == labels[length:]).mean())
            found = next((entry.why for entry in own.diary if entry.kind == "rate"), found)
        made.append({"task": f"digits, {camera}", "right": right, "found": found})
    return made


def people(seed: int, train: int = 600, count: int = PEOPLE) -> list[dict[str, Any]]:
    """Three people of HAR, others for each seed: 60 seconds of the earlier half of their walks are learnt at once, with
    momentum 0 and 0.9, and the later half is asked."""
    x, y, who, _ = sources.har()
    made = []
    for number in (np.random.default_rng([44, seed]).permutation(np.unique(who)))[:count]:
        mine, others = np.flatnonzero(who == number), np.flatnonzero(who != number)
        others = np.random.default_rng([45, seed]).permutation(others)
        model = _trained(x[others[600:]], y[others[600:]], train, seed)
        rest = mine[len(mine) // 2 :]
        few = mine[: len(mine) // 2][:: max(1, len(mine) // 2 // FEW)][:FEW]
        memory = Replay(len(few) * (x[0].size * 4 + 8) + 256, x.shape[1:], np.float32, classes=5, seed=seed)
        for i in few:
            memory.add(x[i], int(y[i]))
        anchor = Anchor(x[others[:600]], y[others[:600]], margin=1.0)
        for momentum in (0.0, 0.9):
            plan = sv.plan(model, torch.zeros(4, 6, 100), optimizer=sv.SGD(0.01, momentum=momentum))
            own, right, found = sv.compile(plan), {}, ""
            start = own.snapshot()
            for rate in _all():
                own.restore(start, 0)
                told = personalise(
                    own,
                    memory,
                    steps=habits("guarded")["steps"],
                    rate=cast(Any, rate),
                    anchor=anchor,
                    folds=2,
                    seed=seed,
                )
                right[str(rate)] = float((predictions(own, x[rest]).argmax(1) == y[rest]).mean())
                found = str(told.pace) if told.pace is not None else found
            made.append({"task": f"walks, momentum {momentum:g}", "right": right, "found": found})
    return made


def _trained(x: np.ndarray, y: np.ndarray, steps: int, seed: int) -> nn.Module:
    torch.manual_seed(seed)
    model, rng = _network(), np.random.default_rng([46, seed])
    optimiser = torch.optim.AdamW(model.parameters(), 3e-3)
    for _ in range(steps):
        rows = rng.integers(len(x), size=32)
        optimiser.zero_grad()
        loss = F.cross_entropy(model(torch.from_numpy(x[rows])), torch.from_numpy(y[rows]).long())
        torch.autograd.backward(loss)
        optimiser.step()
    return model.eval()


def _network() -> nn.Module:
    """A 1-D CNN of 8,501 parameters, without norms: [N, 6, 100] -> [N, 5]."""
    layers: list[nn.Module] = []
    for inputs, outputs in ((6, 16), (16, 32), (32, 32)):
        layers += [nn.Conv1d(inputs, outputs, 5, 2), nn.ReLU()]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(32, 5))
