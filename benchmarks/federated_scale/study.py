"""Devices without a model of their own, whose changes are drawn: all that is left is the protocol, codecs and sums."""

from __future__ import annotations

import hashlib
import tempfile
import time
import tracemalloc
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import selvedge as sv
from selvedge.federate.client.participant import Participant
from selvedge.federate.client.store import InFile
from selvedge.federate.client.trainer import Trained
from selvedge.federate.codec.codec import Vector
from selvedge.federate.coordinator import Closed, Coordinator, Event
from selvedge.federate.grid.virtual import Device, VirtualGrid
from selvedge.federate.keys import Key
from selvedge.federate.layout import Layout
from selvedge.federate.server import Server

ROWS = 100  # of the one matrix that is learnt


@dataclass(frozen=True, slots=True)
class Cost:
    """``seconds``: of the processor, each round; ``wall``: of the clock. peak: bytes that Python held at the most
    beside what was there before the first round, or None where only time was measured."""

    clients: int
    parameters: int
    up: str
    seconds: Sequence[float]
    wall: Sequence[float]
    peak: int | None


class Drawn:
    """Learns nothing: goes a step that was drawn once, for all devices alike."""

    def __init__(self, layout: Layout, step: Vector) -> None:
        self.layout, self._step = layout, step

    def train(
        self, start: Vector, local: dict[str, Any], task: int, control: Vector | None, own: Vector | None
    ) -> Trained:
        return Trained(start + self._step, 10, 1.0)


def measured(clients: int, parameters: int, up: str, rounds: int, memory: bool) -> Cost:
    """``rounds`` rounds of all ``clients``; what a device keeps between them is in a file of its own."""
    layout = Layout({"weight": (ROWS, parameters // ROWS)})
    step = np.random.default_rng(61).normal(0, 0.01, layout.size).astype(np.float32)
    key = Key(hashlib.sha256(b"server").digest())
    settings = sv.Federation("scale", rounds, clients, up=up)
    with tempfile.TemporaryDirectory() as folder:
        devices, public = {}, {}
        trainer = Drawn(layout, step)
        for i in range(clients):
            name = f"device-{i:05}"
            own = Key(hashlib.sha256(name.encode()).digest())
            kept = InFile(Path(folder) / name)
            devices[name] = Device(Participant(name, own, key.public, trainer, kept, seed=i).handle)
            public[name] = own.public
        coordinator = Coordinator(settings, layout, np.zeros(layout.size, np.float32))
        server = Server(coordinator, Path(folder) / "journal", key, public)
        seconds: list[float] = []
        wall: list[float] = []
        if memory:
            tracemalloc.start()
        before = time.process_time(), time.perf_counter()

        def heard(event: Event) -> None:
            nonlocal before
            if isinstance(event, Closed):
                now = time.process_time(), time.perf_counter()
                seconds.append(round(now[0] - before[0], 4))
                wall.append(round(now[1] - before[1], 4))
                before = now

        try:
            server.run(VirtualGrid(devices), heard)
            peak = tracemalloc.get_traced_memory()[1] if memory else None
        finally:
            server.close()
            tracemalloc.stop()
    assert coordinator.phase == "done", coordinator.why
    assert not server.refused, server.refused
    return Cost(clients, parameters, up, tuple(seconds), tuple(wall), peak)
