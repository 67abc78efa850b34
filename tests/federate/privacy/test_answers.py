"""What a private device answers: with other noise each time, what it kept where it is asked again, and always."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import selvedge as sv
from selvedge.federate.client.participant import Participant
from selvedge.federate.client.private import Private
from selvedge.federate.client.store import PERSONAL, InFile, InMemory, Store
from selvedge.federate.client.trainer import CannotTrain, Trained
from selvedge.federate.codec.raw import Raw
from selvedge.federate.message import Message, made
from selvedge.federate.privacy.ledger import Ledger

from ..toward import LAYOUT, SERVER, key, name

START = np.zeros(LAYOUT.size, np.float32)
LOCAL = {"epochs": 1, "rate": 0.1, "mu": 0.0, "scaffold": False}


class Learns:
    """A change of ``change``, or what it cannot."""

    def __init__(self, change: Any = None, cannot: str = "", error: Exception | None = None) -> None:
        self.layout, self.asked = LAYOUT, 0
        self.error = CannotTrain(cannot) if cannot else error
        self.change = np.float32(np.zeros(LAYOUT.size) if change is None else change)

    def train(self, start: Any, local: Any, task: int, control: Any, own: Any) -> Trained:
        self.asked += 1
        if self.error is not None:
            raise self.error
        return Trained(start + self.change, 5, 1.5, None, {"head": np.full(2, task, np.float32)})


def privacy(where: Any = "local") -> sv.Privacy:
    return sv.Privacy(1.0, 2.0, 1e6, 1e-5, where=where)


def task(run: str, number: int) -> bytes:
    head = {
        "run": run, "task": number, "client": name(0), "version": 0, "base": -1, "layout": LAYOUT.digest,
        "window": 0, "down": "float32", "difference": False, "up": "float32", "seed": 0, "model_seed": 0,
        "local": LOCAL, "taken": -1,
    }  # fmt: skip
    return made("task", head, START.tobytes(), SERVER).packed()


def device(trainer: Any, ledger: Ledger, store: Store, where: Any = "local") -> Participant:
    return Participant(name(0), key(0), SERVER.public, Private(trainer, privacy(where), ledger), store)


def change(answer: Message | None) -> Any:
    assert answer is not None
    assert answer.kind == "update", answer.head
    return Raw().decode(answer.body, tuple(LAYOUT.shapes.values()), 0)


def test_asked_the_same_of_other_samples_the_noise_is_another() -> None:
    """Else the two answers would differ by what the samples make, and by nothing else."""
    ledger, store = Ledger(privacy().budget), InMemory()
    there = np.eye(1, LAYOUT.size)[0]
    one = change(device(Learns(), ledger, store).handle(task("run/1", 0)))
    other = change(device(Learns(there), ledger, store).handle(task("run/2", 0)))
    assert np.abs(other - one - there).min() > 1e-6
    assert np.std(other - one) == pytest.approx(2 * 2**0.5, rel=0.6)
    assert sum(count for _, count in ledger.spent.history) == 2, "each that differs is counted"


def test_what_is_asked_again_is_the_bytes_that_were_kept(tmp_path: Path) -> None:
    """Over a restart too, with other samples; it is not learnt again, and counted once."""
    ledger, path = Ledger(privacy().budget, tmp_path / "ledger"), tmp_path / "state"
    one = device(Learns(), ledger, InFile(path)).handle(task("run/1", 3))
    later = Learns(np.ones(LAYOUT.size))
    again = device(later, Ledger(privacy().budget, tmp_path / "ledger"), InFile(path)).handle(task("run/1", 3))
    assert one is not None
    assert again is not None
    assert again.packed() == one.packed()
    assert later.asked == 0
    assert sum(count for _, count in ledger.spent.history) == 1


@pytest.mark.parametrize("where", ["local", "central"])
@pytest.mark.parametrize(
    "trainer",
    [
        Learns(cannot="learning diverged"), Learns(np.full(LAYOUT.size, np.inf)), Learns(error=ZeroDivisionError()),
        Learns(error=TypeError("of None")), Learns(error=IndexError("a label of no class")), Learns(error=ValueError()),
    ],
)  # fmt: skip
def test_what_cannot_be_learnt_is_answered_as_any_other(trainer: Any, where: Any) -> None:
    """Whether a sample makes a model overflow, or how many there are, would be told by a refusal, without noise."""
    ledger = Ledger(privacy().budget)
    found = change(device(trainer, ledger, InMemory(), where).handle(task("run/1", 0)))
    assert sum(count for _, count in ledger.spent.history) == 1
    if where == "local":
        assert 0.5 < np.std(found) < 4
    else:
        np.testing.assert_array_equal(found, 0)


def test_it_is_said_on_the_device_and_its_own_layers_stay() -> None:
    ledger, store, told = Ledger(privacy().budget), InMemory(), []
    device(Learns(), ledger, store).handle(task("run/1", 7))
    mine = Private(Learns(cannot="9 samples, too many steps"), privacy(), ledger, log=told.append)
    for run, number in (("run/1", 8), ("run/2", 0)):
        answer = Participant(name(0), key(0), SERVER.public, mine, store).handle(task(run, number))
        change(answer)
        assert "samples" in told[-1]
        kept = store.load()
        assert kept is not None
        np.testing.assert_array_equal(kept[1][f"{PERSONAL}head"], [7, 7])


def test_a_spent_budget_is_said() -> None:
    """It depends on what was asked before, and on no sample."""
    tight = sv.Privacy(1.0, 2.0, 9.0, 1e-5, where="local")
    ledger, store = Ledger(tight.budget), InMemory()
    made_ = Participant(name(0), key(0), SERVER.public, Private(Learns(), tight, ledger), store)
    kinds = [answer.kind for number in range(9) if (answer := made_.handle(task("run/1", number))) is not None]
    assert kinds[0] == "update"
    assert kinds[-1] == "refusal"
    assert ledger.spent.epsilon(1e-5) <= 9
