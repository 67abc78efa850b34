"""A run of real servers, messages and sessions over devices of one size or of three, and what it spent."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import ceil
from typing import Any

import numpy as np
import torch

import selvedge as sv
from selvedge.advising.radio import RADIOS
from selvedge.federate.client.participant import Participant
from selvedge.federate.client.session import SessionTrainer, state_of
from selvedge.federate.client.store import InMemory
from selvedge.federate.coordinator import Closed, Coordinator, Event, Opened
from selvedge.federate.cover import Cover
from selvedge.federate.grid.virtual import Device, VirtualGrid
from selvedge.federate.keys import Key
from selvedge.federate.layout import Layout
from selvedge.federate.server import Server
from selvedge.federate.simulate import load
from selvedge.learn.metrics import predictions

from .tasks import Array, Pair, Task

Habits = Mapping[str, Any]
RADIO = RADIOS["wifi"]
LINK = 1e5  # bytes a second
MODEL_SEED = 17


@dataclass
class Course:
    """Of every evaluation: the round, bytes up and down so far, joules of all devices so far, right of the validation
    and of the test samples."""

    rounds: list[int] = field(default_factory=list)
    up: list[int] = field(default_factory=list)
    down: list[int] = field(default_factory=list)
    joules: list[float] = field(default_factory=list)
    validation: list[float] = field(default_factory=list)
    test: list[float] = field(default_factory=list)

    def add(self, number: int, up: int, down: int, spent: float, session: sv.Session, task: Task) -> None:
        """spent: joules, without what the bytes drew. session: that has the model."""
        self.rounds.append(number)
        self.up.append(up)
        self.down.append(down)
        self.joules.append(round(spent + radio(up, down), 2))
        self.validation.append(round(right(session, task.validation), 5))
        self.test.append(round(right(session, task.test), 5))


@dataclass(frozen=True, slots=True)
class Size:
    """``session``: that devices of this width have. ``cover``: the channels of the whole that are theirs."""

    session: sv.Session
    joules: float  # a step
    cover: Cover | None = None


def planned(task: Task, own: Habits, seed: int, width: float = 1.0) -> sv.Plan:
    """Of the model at ``width``, weights by ``seed``, on the task's device."""
    torch.manual_seed(MODEL_SEED + seed)
    x = task.devices[0][0]
    example = torch.zeros(own["batch"], *x.shape[1:], dtype=torch.from_numpy(x[:1]).dtype)
    model = task.net(width, task.classes)
    return sv.plan(model, example, device=own["device"], optimizer=sv.SGD(own["rate"]))


def joules(plan: sv.Plan) -> float:
    """Of a step."""
    assert plan.cost.joules is not None, "the task's device says what it draws"
    return plan.cost.joules


def built(task: Task, own: Habits, seed: int, width: float = 1.0) -> tuple[sv.Session, float]:
    """A session, and the joules of its step."""
    plan = planned(task, own, seed, width)
    return sv.compile(plan), joules(plan)


def names(count: int) -> list[str]:
    """Of devices."""
    return [f"device-{i:03}" for i in range(count)]


def spent(own: Habits, samples: Sequence[int], step: Sequence[float]) -> float:
    """Joules of a round, but for bytes: ``samples`` and joules a step of each device that was asked. Two messages
    wake its radio, one each way."""
    steps = sum(own["epochs"] * ceil(n / own["batch"]) * each for n, each in zip(samples, step, strict=True))
    return steps + 2 * len(samples) * RADIO.message_j


def right(session: sv.Session, pair: Pair) -> float:
    """The share of samples, or of characters, that the model is right about."""
    x, y = pair
    return float((predictions(session, x).argmax(1) == y).mean())


def run(
    task: Task, own: Habits, settings: sv.Federation, whole: Size, parts: Mapping[str, Size],
    kinds: Sequence[str],
) -> Course:  # fmt: skip
    """Learn together. parts: by name, sizes of devices; kinds: of each device, "" for the whole model.

    Joules are those of the steps that were asked for, by the plan's own model, and of the radio: what each byte and
    each message draws, both ways, and its watts while it is on.
    """
    key = Key(hashlib.sha256(b"server").digest())
    layout = Layout.of(state_of(whole.session))
    devices, keys, costs = {}, {}, {}
    for i, (name, (x, y), kind) in enumerate(zip(names(len(kinds)), task.devices, kinds, strict=True)):
        size = parts[kind] if kind else whole
        keys[name] = Key(hashlib.sha256(name.encode()).digest())
        trainer = SessionTrainer(size.session, x, y, seed=i)
        devices[name] = Device(
            Participant(name, keys[name], key.public, trainer, InMemory(), seed=i).handle, kind, 10.0, LINK
        )
        costs[name] = len(x), size.joules
    covers = {name: size.cover for name, size in parts.items() if size.cover is not None}
    coordinator = Coordinator(settings, layout, layout.vector(state_of(whole.session)), covers)
    grid = VirtualGrid(devices, settings.seed)
    course, drawn = Course(), 0.0
    with tempfile.TemporaryDirectory() as folder:
        server = Server(coordinator, folder, key, {n: k.public for n, k in keys.items()})

        def heard(event: Event) -> None:
            nonlocal drawn
            if isinstance(event, Opened):
                drawn += spent(own, *zip(*(costs[name] for name in event.asked), strict=True))
            if isinstance(event, Closed) and coordinator.version % own["every"] == 0:
                load(whole.session, coordinator)
                course.add(coordinator.version, server.up_bytes, server.down_bytes, drawn, whole.session, task)

        try:
            server.run(grid, heard)
        finally:
            server.close()
    assert coordinator.phase == "done", coordinator.why
    return course


def radio(up: int, down: int) -> float:
    """Joules of so many bytes by the published figures of a telephone's Wi-Fi, at ``LINK``."""
    return up * (RADIO.up_j_per_byte + RADIO.up_w / LINK) + down * (RADIO.down_j_per_byte + RADIO.down_w / LINK)


def cut(whole: Layout, part: Layout, share: float) -> Cover:
    """The channels of ``part``, from ``share`` of each axis on and around its end: 0 is HeteroFL's. The three gates of
    a recurrent unit lie behind one another in an axis: each is cut alike."""
    indices = {}
    for name, small in part.shapes.items():
        axes = []
        for axis, (few, many) in enumerate(zip(small, whole.shapes[name], strict=True)):
            gates = 3 if name.startswith("gru.") and axis == 0 else 1
            axes.append(() if few == many else _from(few // gates, many // gates, gates, share))
        indices[name] = tuple(axes)
    return Cover(whole, indices)


def _from(few: int, many: int, gates: int, share: float) -> tuple[int, ...]:
    first = round(share * many)
    return tuple(gate * many + (first + i) % many for gate in range(gates) for i in range(few))


def common(task: Task) -> Array:
    """How often each class is right where it is always said: of the test samples, by the devices' most frequent."""
    most = int(np.bincount(task.pooled()[1].reshape(-1), minlength=task.classes).argmax())
    return np.asarray((task.test[1] == most).mean())
