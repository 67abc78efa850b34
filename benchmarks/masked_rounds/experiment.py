"""A case is a task, a seed and a way: the same devices, samples and beginning; of masked ones the whole protocol
runs."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch

import selvedge as sv
from selvedge.federate.client.session import state_of
from selvedge.federate.codec.masked import share_of
from selvedge.federate.codec.named import codec
from selvedge.federate.coordinator import Event, Said
from selvedge.federate.layout import Layout
from selvedge.federate.masking.terms import STAGES, carry

from ..federated import tasks
from ..federated.tasks import Task
from ..federated.world import built, right

EVERY, LAST = 5, 3  # rounds between two evaluations, and how many of the last are the end
PLAIN = "FedAvg, float32"
BITS = 4
WAYS: Mapping[str, str] = {PLAIN: "", "masked, a quarter": "seeded:0.25+int4", "masked, a fifth": "seeded:0.2+int4"}
Case = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Setting:
    """``width``: of the task's network. ``momentum``: of the server, in masked rounds: where the devices of a round are
    others each time, it stands in the place of error feedback."""

    of: Callable[[int], Task]
    device: str
    rounds: int
    clients: int
    epochs: int
    rate: float
    batch: int
    width: float = 1.0
    momentum: float = 0.0


TASKS: Mapping[str, Setting] = {
    "digits": Setting(partial(tasks.digits, 0.3), "esp32-s3", 150, 20, 5, 0.1, 10, momentum=0.7),
    "digits-wide": Setting(partial(tasks.digits, 0.3), "raspberry-pi-zero-2w", 300, 20, 5, 0.1, 10, 12.0, 0.7),
    "har": Setting(tasks.har, "esp32-s3", 240, 23, 2, 0.1, 16),
    "har-wide": Setting(tasks.har, "raspberry-pi-zero-2w", 240, 23, 2, 0.1, 16, 2.5),
}


def absent(name: str) -> str | None:
    """The folder that a task needs, if it is not there."""
    return tasks.absent(name)


def case(name: str, seed: int, way: str) -> dict[str, Any]:
    """As plain data. "last": right of the test samples, the mean of the last evaluations. "up": bytes that left all
    devices, heads and signatures too; "stages": of them, those of each stage of the protocol. "size": elements of the
    model. "seconds": of the processor."""
    torch.set_num_threads(1)
    began, s = time.process_time(), TASKS[name]
    task = s.of(seed)
    session, _ = built(task, {"batch": s.batch, "device": s.device, "rate": s.rate}, seed, s.width)
    masked: dict[str, Any] = {}
    if WAYS[way]:
        optimizer = sv.ServerOptimizer(momentum=s.momentum)
        masked = {"up": WAYS[way], "masked": sv.Masked(bits=BITS), "optimizer": optimizer}
    settings = sv.Federation(
        "masked", s.rounds, s.clients, seed=seed, local=sv.Local(epochs=s.epochs, rate=s.rate), **masked
    )  # fmt: skip
    stages: Counter[str] = Counter()

    def happened(event: Event) -> None:
        if isinstance(event, Said):
            stages[STAGES[event.answer[3] & 0x7F]] += len(event.answer)

    size = Layout.of(state_of(session)).size
    made = sv.simulate(
        session, task.devices, settings, evaluate=lambda of: right(of, task.test), every=EVERY, on_event=happened
    )
    assert made.phase == "done", made.why
    told = [(p.version, p.up, round(p.told, 5)) for p in made.points if p.told is not None]
    course = {n: [one[i] for one in told] for i, n in enumerate(("rounds", "up", "test"))}
    return {
        "task": name, "seed": seed, "way": way, "size": size, "answers": sum(p.changes for p in made.points),
        "last": float(np.mean(course["test"][-LAST:])), "up": made.points[-1].up, "stages": dict(stages),
        "course": course, "seconds": round(time.process_time() - began, 1),
    }  # fmt: skip


def _bits(name: str, way: str) -> float:
    """Of the values, a parameter."""
    share = share_of(codec(WAYS[way]), BITS) if WAYS[way] else None
    return 32.0 if share is None else share * (BITS + carry(TASKS[name].clients))


def summary(cases: Sequence[Case]) -> dict[str, dict[str, dict[str, Any]]]:
    """task -> way -> "seeds", "last" (mean), "apart" (from FedAvg, of pairs of a seed: each), "each": bytes an answer,
    all and by stage ("heads": what no stage is), "fewer": float32's bytes of the model over them, "values": the same of
    the masked values alone, "bits": of them a parameter."""
    made: dict[str, dict[str, dict[str, Any]]] = {}
    for name in dict.fromkeys(c["task"] for c in cases):
        own = {(c["way"], c["seed"]): c for c in cases if c["task"] == name}
        for way in WAYS:
            found = [c for (w, _), c in sorted(own.items()) if w == way]
            if not found:
                continue
            answers = sum(c["answers"] for c in found)
            up = sum(c["up"] for c in found) / answers
            stages = {s: sum(c["stages"].get(s, 0) for c in found) / answers for s in STAGES}
            plain = 4 * found[0]["size"]
            made.setdefault(name, {})[way] = {
                "seeds": len(found), "last": float(np.mean([c["last"] for c in found])), "size": found[0]["size"],
                "apart": [c["last"] - own[PLAIN, c["seed"]]["last"] for c in found if (PLAIN, c["seed"]) in own],
                "up": up, "stages": {**stages, "heads": up - sum(stages.values())}, "fewer": plain / up,
                "values": plain / stages["input"] if stages["input"] else None,
                "bits": _bits(name, way),
            }  # fmt: skip
    return made
