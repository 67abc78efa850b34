"""A device with layers that stay on it; as a process, one that ends itself behind the training of its second task, at
the step of that number: whatever the interpreter asks of the system, files opened, written, renamed."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Any

import numpy as np

from selvedge.federate.client.participant import Participant
from selvedge.federate.client.session import SessionTrainer
from selvedge.federate.client.store import InFile, Store
from selvedge.federate.client.trainer import Trained
from selvedge.federate.layout import Layout
from selvedge.federate.message import made
from selvedge.run.artifact import load
from selvedge.run.session import Session

from .toward import SERVER, key, name

PERSONAL = ("2.weight", "2.bias")
TASKS = 3


def trainer(session: Session, store: Store) -> SessionTrainer:
    random = np.random.default_rng(3)
    x, y = random.normal(size=(12, 6)).astype(np.float32), random.integers(0, 3, 12).astype(np.int32)
    return SessionTrainer(session, x, y, personal=PERSONAL, store=store)


def device(session: Session, store: Store) -> Participant:
    return Participant(name(0), key(0), SERVER.public, trainer(session, store), store)


def task(number: int, layout: Layout, taken: int, run: str = "tried/1") -> bytes:
    head = {
        "run": run, "task": number, "client": name(0), "version": number, "base": -1, "layout": layout.digest,
        "window": 0, "down": "float32", "difference": False, "up": "sign", "seed": 7 + number, "model_seed": 1,
        "local": {"epochs": 2, "rate": 0.1, "mu": 0.0, "scaffold": False}, "taken": taken,
    }  # fmt: skip
    start = np.random.default_rng(number).normal(size=layout.size).astype("<f4")
    return made("task", head, start.tobytes(), SERVER).packed()


def opened(artifact: Path) -> Session:
    return load(artifact / "a", cache=artifact / "cache")


def main(artifact: Path, folder: Path, at: int) -> None:
    one = device(opened(artifact), InFile(folder / "state"))
    steps, train = [-1], SessionTrainer.train

    def noted(event: str, given: Any) -> None:
        if steps[0] >= 0:
            steps[0] += 1
            if steps[0] == at + 1:
                os.kill(os.getpid(), signal.SIGKILL)

    def trained(self: SessionTrainer, start: Any, local: Any, number: int, *other: Any) -> Trained:
        found = train(self, start, local, number, *other)
        steps[0] = 0 if number == 1 else -1
        return found

    SessionTrainer.train = trained  # type: ignore[method-assign]
    sys.addaudithook(noted)
    for number in range(TASKS):
        answer = one.handle(task(number, one._trainer.layout, number - 1))
        assert answer is not None
        (folder / f"answer{number}").write_bytes(answer.packed())


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
