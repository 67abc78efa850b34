"""Flower's FedAvg beside ours: the same devices in each round, the same steps of the same sessions, another server."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from dataclasses import asdict
from pathlib import Path

import numpy as np

import selvedge as sv
from selvedge.federate.client.session import state_of
from selvedge.federate.coordinator import Coordinator, Opened, Taken
from selvedge.federate.grid.flower_loopback import QUIET
from selvedge.federate.layout import Layout

from . import world
from .tasks import Task

VARIABLE = "SELVEDGE_FLOWER"
ABSENT = f"{VARIABLE} names no Python with flwr: set it as `make flower-test` does, and remove this case"
ROOT = Path(__file__).parents[2]


def python() -> str | None:
    """Of an environment with flwr."""
    found = os.environ.get(VARIABLE)
    if not found:
        return None
    return found if subprocess.run([found, "-c", "import flwr"], capture_output=True).returncode == 0 else None


def asked(settings: sv.Federation, count: int) -> list[list[int]]:
    """The devices of each round, where all ``count`` of them are there and every one answers: what the coordinator of
    ours draws."""
    coordinator = Coordinator(settings, Layout({"none": (1,)}), np.zeros(1, np.float32))
    names, rounds = world.names(count), []
    here = dict.fromkeys(names, "")
    while coordinator.phase != "done":
        event = coordinator.due(0.0, lambda: here, count)
        if event is None:
            client, busy = next(iter(coordinator.busy.items()))
            event = Taken(client, busy.task, 1, 0.0, np.zeros(1, np.float32))
        elif isinstance(event, Opened):
            rounds.append([names.index(name) for name in event.asked])
        coordinator.apply(event)
    return rounds


def through_flower(task: Task, own: world.Habits, seed: int, settings: sv.Federation) -> world.Course | None:
    """None: there is no flwr here. Raises ``RuntimeError`` with its last words where it fails."""
    interpreter = python()
    if interpreter is None:
        return None
    plan = world.planned(task, own, seed)
    session, joules = sv.compile(plan), world.joules(plan)
    begin = state_of(session)
    layout = Layout.of(begin)
    rounds = asked(settings, len(task.devices))
    given = {"rounds": rounds, "every": own["every"], "local": asdict(settings.local)}
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        sv.emit(plan, "c", folder / "artifact")
        np.save(folder / "begin.npy", layout.vector(begin))
        samples = {f"{n}{i}": a for i, pair in enumerate(task.devices) for n, a in zip("xy", pair, strict=True)}
        np.savez(folder / "samples.npz", allow_pickle=False, **samples)
        (folder / "run.json").write_text(json.dumps(given))
        path = os.pathsep.join([str(Path(sv.__file__).parents[1]), str(ROOT)])
        done = subprocess.run(
            [interpreter, "-m", "benchmarks.federated.flower", str(folder)], capture_output=True, text=True,
            env={**os.environ, **QUIET, "PYTHONPATH": path, "FLWR_HOME": str(folder / "home")}, check=False,
        )  # fmt: skip
        if done.returncode:
            raise RuntimeError(f"flwr: {done.stderr[-1000:]}")
        models, told = np.load(folder / "models.npy"), json.loads((folder / "told.json").read_text())
    course = world.Course()
    for number, (model, up, down) in enumerate(zip(models, told["up"], told["down"], strict=True), 1):
        session.load_state_dict({**begin, **layout.arrays(model)})
        spent = sum(
            world.spent(own, [len(task.devices[i][1]) for i in each], [joules] * len(each))
            for each in rounds[: number * own["every"]]
        )
        course.add(number * own["every"], up, down, spent, session, task)
    return course
