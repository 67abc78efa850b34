"""Devices without a model of their own, whose changes are drawn: all that is left is the protocol, codecs and sums.

``python -m benchmarks.federated_scale.study JSON`` measures one :class:`Case` in a process that has done nothing else.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

import selvedge as sv
from selvedge.federate.client.participant import Participant
from selvedge.federate.client.trainer import Trained
from selvedge.federate.codec.codec import Vector
from selvedge.federate.coordinator import Closed, Coordinator, Event
from selvedge.federate.grid.virtual import Device, VirtualGrid
from selvedge.federate.keys import Key
from selvedge.federate.layout import Layout
from selvedge.federate.message import Message
from selvedge.federate.roster import Roster
from selvedge.federate.server import Server
from selvedge.federate.shelf import Shelf

ROOT = Path(__file__).parents[2]
ROWS = 100  # of the one matrix that is learnt
LINK = 1e9  # bytes a second: of one machine
SECONDS, SPREAD = 10.0, 0.5  # virtual: what a task takes, the median and the sigma of its logarithm
# What is given back is used again: a page that is new costs as much as a pass over it. glibc's own settings.
ALLOCATOR = {
    "MALLOC_MMAP_THRESHOLD_": str(1 << 30), "MALLOC_TRIM_THRESHOLD_": str(1 << 32), "MALLOC_TOP_PAD_": str(1 << 24),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Case:
    """asked: of the clients in each round, 0: all. threads: of the devices. records: whether each event is in the
    journal, or only each move. trace: whether it is Python's own memory that is measured, which takes time."""

    clients: int
    parameters: int
    up: str
    rounds: int
    threads: int = 0
    records: bool = False
    trace: bool = False
    asked: int = 0


@dataclass(frozen=True, slots=True)
class Cost:
    """``seconds``: of the processor, each round; ``own``: those of them that are the server's and the grid's thread;
    ``wall``: of the clock. resident: bytes of the process at its most beside what it had before the first device was
    made; traced: of Python's own memory, or None. up: bytes of one update."""

    case: Case
    seconds: Sequence[float]
    own: Sequence[float]
    wall: Sequence[float]
    resident: int
    traced: int | None
    up: int


class Drawn:
    """Learns nothing: goes a step that was drawn once, each device a little further than the one before it."""

    def __init__(self, layout: Layout, step: Vector, far: float) -> None:
        self.layout, self._step, self._far = layout, step, np.float32(far)

    def train(
        self, start: Vector, local: dict[str, Any], task: int, control: Vector | None, own: Vector | None
    ) -> Trained:
        end = self._step * self._far
        end += start
        return Trained(end, 10, 1.0)


class Made(Mapping[str, Device]):
    """Devices by name, made when they are asked for. took: seconds of each."""

    def __init__(self, took: npt.NDArray[np.float64], handle: Callable[[int, bytes, bytes], Message | None]) -> None:
        self._took, self._handle = took, handle

    def __getitem__(self, name: str) -> Device:
        i = int(name.rpartition("-")[2])
        return Device(partial(self._handle, i), seconds=float(self._took[i]), link=LINK, apart=True)

    def __iter__(self) -> Iterator[str]:
        return map(_name, range(len(self._took)))

    def __len__(self) -> int:
        return len(self._took)


@lru_cache(maxsize=100)
def _key(name: str) -> Key:
    return Key(hashlib.sha256(name.encode()).digest())


def measured(case: Case) -> Cost:
    """``rounds`` rounds of ``clients``. A device is made when it is asked and gone when it has answered: what it
    keeps is in a file. The server knows names and public keys."""
    layout = Layout({"weight": (ROWS, case.parameters // ROWS)})
    step = np.random.default_rng(61).normal(0, 0.01, layout.size).astype(np.float32)
    random = np.random.default_rng(62)
    settings = sv.Federation("scale", case.rounds, case.asked or case.clients, up=case.up)
    key, shelf = _key("server"), Shelf(answers=False)

    def handle(i: int, top: bytes, body: bytes) -> Message | None:
        name = _name(i)
        trainer = Drawn(layout, step, 1 + i / case.clients)
        return Participant(name, _key(name), key.public, trainer, shelf.of(name), seed=i).handle(top, body)

    Coordinator(settings, layout, np.zeros(layout.size, np.float32))  # what is imported late is no device's
    before = _resident("VmRSS")
    if case.trace:
        tracemalloc.start()
    with tempfile.TemporaryDirectory() as folder:
        took = SECONDS * np.exp(SPREAD * random.standard_normal(case.clients))
        devices = Made(took, handle)
        public = Roster((name, _key(name).public) for name in devices)
        coordinator = Coordinator(settings, layout, np.zeros(layout.size, np.float32))
        server = Server(coordinator, folder, key, public, durable=False, records=case.records)
        grid = VirtualGrid(devices, threads=case.threads)
        clocks = time.process_time, time.thread_time, time.perf_counter
        rounds: list[list[float]] = []
        last = [clock() for clock in clocks]

        def heard(event: Event) -> None:
            if isinstance(event, Closed):
                now = [clock() for clock in clocks]
                rounds.append([round(b - a, 4) for a, b in zip(last, now, strict=True)])
                last[:] = now

        try:
            server.run(grid, heard)
            traced = tracemalloc.get_traced_memory()[1] if case.trace else None
        finally:
            server.close()
            tracemalloc.stop()
    assert coordinator.phase == "done", coordinator.why
    assert not server.refused, server.refused
    mean = float(np.mean(1 + np.arange(case.clients) / case.clients))
    if case.up == "float32" and not case.asked:  # that all were used is seen at the model
        np.testing.assert_allclose(coordinator.model, case.rounds * mean * step, rtol=1e-3, atol=1e-5)
    seconds, own, wall = zip(*rounds, strict=True)
    resident = _resident("VmHWM") - before
    sent = server.up_bytes // (settings.clients * case.rounds)
    return Cost(case, seconds, own, wall, resident, traced, sent)


def alone(case: Case) -> dict[str, Any]:
    """:func:`measured` in a process of its own, as plain data."""
    command = [sys.executable, "-m", "benchmarks.federated_scale.study", json.dumps(asdict(case))]
    done = subprocess.run(
        command, cwd=ROOT, env={**os.environ, **ALLOCATOR}, stdout=subprocess.PIPE, text=True, check=True
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def floor(parameters: int, seconds: float = 0.5) -> float:
    """Seconds that a float32 update of so many numbers takes whoever does it, on this machine as busy as it is: SHA-256
    of it, one pass that makes it, one that copies it, and one that adds it up."""
    numbers = np.random.default_rng(0).normal(0, 0.01, parameters).astype(np.float32)
    body, total, made = numbers.tobytes(), np.zeros(parameters), np.empty_like(numbers)
    began, count = time.process_time(), 0
    while time.process_time() - began < seconds:
        hashlib.sha256(body).digest()
        np.add(numbers, numbers, out=made)
        np.copyto(numbers, made)
        np.add(total, numbers, out=total)
        numbers *= 0.5
        count += 1
    return (time.process_time() - began) / count


def _name(i: int) -> str:
    return f"device-{i:05}"


def _resident(field: str) -> int:
    """Bytes, as Linux says: now (VmRSS), or at the most so far (VmHWM)."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) << 10 for line in lines if line.startswith(field))


if __name__ == "__main__":
    print(json.dumps(asdict(measured(Case(**json.loads(sys.argv[1]))))))
