"""What one could do: nothing, alone, all data in one place, and together in several ways."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

import selvedge as sv
from selvedge.federate.client.session import state_of
from selvedge.federate.layout import Layout

from . import peer, world
from .tasks import Array, Pair, Task
from .world import Habits

Found = dict[str, Any]
WIDTHS = (1.0, 0.5, 0.25)
JUDGED = 10  # times, on the way, of those that learn without a server


def dummy(task: Task, own: Habits, seed: int) -> Found:
    share = round(float(world.common(task)), 5)
    return {"last": share, "chosen": share}


def alone(task: Task, own: Habits, seed: int) -> Found:
    """Each device learns its own samples, as many epochs as the others do together on the mean, each from the same
    beginning; chosen: the time at which the mean over all devices is best on the validation samples. Judged of all test
    samples, and ("mine") of the device's own."""
    session, _ = world.built(task, own, seed)
    begin = {n: a.copy() for n, a in state_of(session).items()}
    epochs = max(JUDGED, round(own["rounds"] * own["clients"] * own["epochs"] / len(task.devices)))
    ends = np.linspace(epochs / JUDGED, epochs, JUDGED).round().astype(int)
    validation, test, mine = (np.zeros((len(task.devices), JUDGED)) for _ in range(3))
    for i, (x, y) in enumerate(task.devices):
        session.load_state_dict(begin)
        draw, done = np.random.default_rng([55, seed, i]), 0
        for at, end in enumerate(ends):
            for _ in range(end - done):
                for rows in batches(len(x), own["batch"], draw):
                    session.step(x[rows], y[rows], lr=own["rate"])
            done = end
            validation[i, at] = world.right(session, task.validation)
            test[i, at] = world.right(session, task.test)
            if task.own is not None:
                mine[i, at] = world.right(session, (task.test[0][task.own == i], task.test[1][task.own == i]))
    best = int(validation.mean(0).argmax())
    found = {"last": float(test[:, -1].mean()), "chosen": float(test[:, best].mean()), "epochs": epochs}
    return found | ({} if task.own is None else {"mine": float(mine[:, best].mean())})


def centralised(task: Task, own: Habits, seed: int) -> Found:
    """All samples in one place: PyTorch, SGD with momentum under a cosine; the same beginning."""
    torch.manual_seed(world.MODEL_SEED + seed)
    model = task.net(1.0, task.classes)
    x, y = task.pooled()
    xs, ys = torch.from_numpy(x), torch.from_numpy(y.astype(np.int64))
    size, draw = 32, np.random.default_rng([56, seed])
    steps = own["whole_epochs"] * -(-len(x) // size)
    optimizer = torch.optim.SGD(model.parameters(), own["whole_rate"], momentum=0.9)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    best, kept = -1.0, copy.deepcopy(model.state_dict())
    for _ in range(own["whole_epochs"]):
        model.train()
        for rows in batches(len(x), size, draw):
            optimizer.zero_grad()
            F.cross_entropy(model(xs[rows]), ys[rows]).backward()
            nn.utils.clip_grad_norm_(model.parameters(), 5.0)
            optimizer.step()
            schedule.step()
        now = right(model, task.validation)
        if now > best:
            best, kept = now, copy.deepcopy(model.state_dict())
    last = right(model, task.test)
    model.load_state_dict(kept)
    return {"last": last, "chosen": right(model, task.test), "validation": best}


def right(model: nn.Module, pair: Pair) -> float:
    model.eval()
    with torch.no_grad():
        answer = model(torch.from_numpy(pair[0])).numpy().argmax(1)
    return float((answer == pair[1]).mean())


def batches(count: int, size: int, draw: np.random.Generator) -> list[Array]:
    """Of one epoch; the last is filled up from the front."""
    order = draw.permutation(count)
    return [np.resize(order, i + size)[i:] if i + size > count else order[i : i + size] for i in range(0, count, size)]


def together(task: Task, own: Habits, seed: int, local: Mapping[str, Any] | None = None, **settings: Any) -> Found:
    """Devices of one size; ``local``: what a device does besides, ``settings``: of the run."""
    session, joules = world.built(task, own, seed)
    course = world.run(
        task, own, _run(own, seed, local or {}, **settings), world.Size(session, joules), {}, [""] * len(task.devices)
    )
    return _told(course)


def mixed(task: Task, own: Habits, seed: int, rolled: bool) -> Found:
    """A third of the devices each has the whole width, half and a quarter of it; the same channels for all of a width,
    or, rolled, others for each, which stay its own for the run."""
    session, joules = world.built(task, own, seed)
    whole = Layout.of(state_of(session))
    parts: dict[str, world.Size] = {}
    for width in WIDTHS[1:]:
        narrow, less = world.built(task, own, seed, width)
        layout = Layout.of(state_of(narrow))
        for share in np.arange(0, 1, width) if rolled else (0.0,):
            parts[f"{width:g}@{share:g}"] = world.Size(narrow, less, world.cut(whole, layout, float(share)))
    kinds, each = [], {w: [p for p in parts if p.startswith(f"{w:g}@")] for w in WIDTHS[1:]}
    for i in np.argsort(np.random.default_rng([57, seed]).permutation(len(task.devices))):
        width = WIDTHS[i % 3]
        kinds.append("" if width == 1 else each[width][i // 3 % len(each[width])])
    return _told(world.run(task, own, _run(own, seed, {}), world.Size(session, joules), parts, kinds))


def narrow(task: Task, own: Habits, seed: int) -> Found:
    """All have what the smallest can train: what mixing must be better than."""
    session, joules = world.built(task, own, seed, WIDTHS[-1])
    kinds = [""] * len(task.devices)
    return _told(world.run(task, own, _run(own, seed, {}), world.Size(session, joules), {}, kinds))


def through_flower(task: Task, own: Habits, seed: int) -> Found:
    """flwr's own FedAvg, in a process of its own environment."""
    course = peer.through_flower(task, own, seed, _run(own, seed, {}))
    return {"failed": peer.ABSENT} if course is None else _told(course)


def _run(own: Habits, seed: int, local: Mapping[str, Any], **settings: Any) -> sv.Federation:
    there = sv.Local(epochs=own["epochs"], rate=own["rate"], **local)
    return sv.Federation("figures", own["rounds"], own["clients"], local=there, seed=seed, **settings)


def _told(course: world.Course) -> Found:
    best = int(np.argmax(course.validation))
    return {"last": course.test[-1], "chosen": course.test[best], "course": asdict(course)}


def _server(kind: Any, rate: float) -> sv.ServerOptimizer:
    return sv.ServerOptimizer(kind, rate=rate, momentum=0.9)


WAYS: Mapping[str, Callable[[Task, Habits, int], Found]] = {
    "dummy": dummy,
    "alone": alone,
    "centralised, PyTorch": centralised,
    "FedAvg": together,
    "FedAvg, few bytes": lambda task, own, seed: together(task, own, seed, up=own["up"]),
    "FedProx": lambda task, own, seed: together(task, own, seed, {"mu": own["mu"]}),
    "SCAFFOLD": lambda task, own, seed: together(task, own, seed, {"scaffold": True}),
    "FedAdam": lambda task, own, seed: together(task, own, seed, optimizer=_server("adam", own["adam"])),
    "FedYogi": lambda task, own, seed: together(task, own, seed, optimizer=_server("yogi", own["yogi"])),
    "three widths, the first channels": lambda task, own, seed: mixed(task, own, seed, False),
    "three widths, rolled": lambda task, own, seed: mixed(task, own, seed, True),
    "all a quarter as wide": narrow,
    "FedAvg by Flower": through_flower,
}
