"""A case is a spread of speeds, a seed and a way: the same devices, samples and beginning, in virtual time."""

from __future__ import annotations

import hashlib
import tempfile
import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch

import selvedge as sv
from selvedge.federate.client.participant import Participant
from selvedge.federate.client.session import SessionTrainer, state_of
from selvedge.federate.client.store import InMemory
from selvedge.federate.coordinator import Closed, Coordinator, Event, Taken
from selvedge.federate.grid.virtual import Device, VirtualGrid
from selvedge.federate.keys import Key
from selvedge.federate.layout import Layout
from selvedge.federate.server import Server
from selvedge.federate.simulate import load

from ..federated.experiment import BEHIND, NEAR, habits, reached
from ..federated.tasks import digits
from ..federated.world import LINK, built, right

ALPHA, MOVES, SECONDS = 0.3, 200, 10.0  # of the Dirichlet, of the model, and the median of what a task takes
SPREADS = ("0.5", "1", "1.5")  # sigma of the logarithm of what a task takes a device
FOREVER = 1e9  # seconds: nobody is given up, however slow
PLAIN = "FedAvg, waits for all"
# A way is how many of 100 devices are busy for each of 10 answers that the model moves by, and what it waits for.
WAYS: Mapping[str, tuple[Any, float]] = {
    PLAIN: ("rounds", 1.0),
    "over-selection, 13 busy": ("rounds", 1.3),
    "FedBuff, 13 busy": ("buffered", 1.3),
    "over-selection, 30 busy": ("rounds", 3.0),
    "FedBuff, 30 busy": ("buffered", 3.0),
}
Case = Mapping[str, Any]


def case(spread: str, seed: int, way: str) -> dict[str, Any]:
    """As plain data. "course": of every evaluation the move, seconds of the run's clock, bytes up of all devices and
    right of the test samples. "heard": of each device, how many of its changes counted. "seconds": of the processor."""
    torch.set_num_threads(1)
    began, own, (mode, over) = time.process_time(), habits("digits"), WAYS[way]
    task = digits(ALPHA, seed)
    session, _ = built(task, own, seed)
    settings = sv.Federation(
        "speeds", MOVES, own["clients"], mode, over, deadline=FOREVER, seed=seed,
        local=sv.Local(epochs=own["epochs"], rate=own["rate"]),
    )  # fmt: skip
    key = Key(hashlib.sha256(b"server").digest())
    took = SECONDS * np.exp(float(spread) * np.random.default_rng([58, seed]).standard_normal(len(task.devices)))
    devices, keys = {}, {}
    for i, (x, y) in enumerate(task.devices):
        name = f"device-{i:03}"
        keys[name] = Key(hashlib.sha256(name.encode()).digest())
        trainer = SessionTrainer(session, x, y, seed=i)
        answers = Participant(name, keys[name], key.public, trainer, InMemory(), seed=i)
        devices[name] = Device(answers.handle, "", float(took[i]), LINK)
    layout = Layout.of(state_of(session))
    coordinator = Coordinator(settings, layout, layout.vector(state_of(session)))
    course: dict[str, list[Any]] = {"moves": [], "seconds": [], "up": [], "test": []}
    heard: dict[str, int] = dict.fromkeys(devices, 0)
    with tempfile.TemporaryDirectory() as folder:
        public = {n: k.public for n, k in keys.items()}
        server = Server(coordinator, folder, key, public, durable=False, records=False)

        def happened(event: Event) -> None:
            if isinstance(event, Taken):
                heard[event.client] += 1
            if isinstance(event, Closed) and coordinator.version % own["every"] == 0:
                load(session, coordinator)
                course["moves"].append(coordinator.version)
                course["seconds"].append(round(event.at, 1))
                course["up"].append(server.up_bytes)
                course["test"].append(round(right(session, task.test), 5))

        try:
            server.run(VirtualGrid(devices, seed), happened)
        finally:
            server.close()
    assert coordinator.phase == "done", coordinator.why
    return {"task": spread, "seed": seed, "way": way, "course": course, "heard": list(heard.values()),
            "seconds": round(time.process_time() - began, 1)}  # fmt: skip


def settled(course: Mapping[str, Sequence[float]]) -> float:
    """Right at the end: the mean of the last three evaluations."""
    return float(np.mean(course["test"][-NEAR:]))


def summary(cases: Sequence[Case]) -> dict[str, dict[str, dict[str, Any]]]:
    """spread -> way -> of each seed, in order: "seeds", "last", and until three evaluations on the mean were within a
    point of FedAvg's end "hours" of the run's clock, "moves" and "up" (bytes), None where that never was; "faster":
    FedAvg's hours over its own, of the seeds where both were there. "silent": devices that were never heard."""
    made: dict[str, dict[str, dict[str, Any]]] = {}
    for spread in SPREADS:
        own = {(c["way"], c["seed"]): c for c in cases if c["task"] == spread}
        ends = {}
        for (way, seed), c in own.items():
            plain = own.get((PLAIN, seed))
            ends[way, seed] = None if plain is None else reached(c["course"], settled(plain["course"]) - BEHIND)
        for way in WAYS:
            found = [(seed, own[way, seed]) for w, seed in sorted(own) if w == way and (PLAIN, seed) in own]
            if not found:
                continue
            row: dict[str, Any] = {"seeds": [s for s, _ in found], "last": [settled(c["course"]) for _, c in found]}
            for name, of, unit in (("hours", "seconds", 3600.0), ("moves", "moves", 1), ("up", "up", 1)):
                row[name] = [None if (end := ends[way, s]) is None else c["course"][of][end] / unit for s, c in found]
            hours = {s: own[PLAIN, s]["course"]["seconds"][e] / 3600 for s in row["seeds"] if (e := ends[PLAIN, s])}
            row["faster"] = [
                hours[s] / h for s, h in zip(row["seeds"], row["hours"], strict=True) if h is not None and s in hours
            ]
            row["silent"] = [sum(not n for n in c["heard"]) for _, c in found]
            made.setdefault(spread, {})[way] = row
    return made
