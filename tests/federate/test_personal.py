"""Layers that stay on a device go on by one task a task, wherever the device is killed."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import selvedge as sv
from selvedge.federate.client.session import state_of
from selvedge.federate.client.store import InFile, InMemory, Store, personal_of
from selvedge.federate.message import Message, made, read

from .staying import PERSONAL, TASKS, device, opened, task, trainer
from .toward import SERVER

ROOT = Path(__file__).parents[2]


def kept(store: Store) -> tuple[Any, dict[str, bytes]]:
    found = store.load()
    assert found is not None
    return dict(found[0]), {n: a.tobytes() for n, a in found[1].items()}


@pytest.fixture(scope="module")
def artifact(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    net = torch.nn.Sequential(torch.nn.Linear(6, 5), torch.nn.Tanh(), torch.nn.Linear(5, 3))
    folder = tmp_path_factory.mktemp("artifact")
    sv.emit(sv.plan(net, torch.zeros(4, 6), device="stm32f746", optimizer=sv.SGD(0.1)), "c", folder / "a")
    sv.load(folder / "a", cache=folder / "cache")
    return folder


@pytest.fixture(scope="module")
def whole(artifact: Path) -> tuple[list[bytes], Any]:
    """What a device that nobody kills answers, and what it keeps."""
    store = InMemory()
    one = device(opened(artifact), store)
    layout = one._trainer.layout
    answers = [one.handle(task(number, layout, number - 1)) for number in range(TASKS)]
    return [answer.packed() for answer in answers if answer is not None], kept(store)


def test_killed_behind_training_at_every_step_it_has_trained_once(
    artifact: Path, whole: tuple[list[bytes], Any], tmp_path: Path
) -> None:
    """A real process, ended by SIGKILL between what it has learnt and what it says, wherever it asks the system for
    something; the next process does the same task to the same bits, and keeps the same layers."""
    killed = 0
    for at in range(100):
        folder = tmp_path / str(at)
        folder.mkdir()
        line = [sys.executable, "-m", "tests.federate.staying", str(artifact), str(folder), str(at)]
        code = subprocess.run(line, cwd=ROOT, check=False, timeout=120).returncode
        if (folder / "answer1").exists():
            break
        assert code == -signal.SIGKILL
        killed += 1
        store = InFile(folder / "state")
        again = device(opened(artifact), store)
        for number in (1, 2):
            answer = again.handle(task(number, again._trainer.layout, number - 1))
            assert answer is not None
            assert answer.packed() == whole[0][number], f"step {at}, task {number}"
        assert kept(store) == whole[1]
    assert killed >= 5, "there is more to a write that cannot be seen half done"


def test_a_task_that_is_refused_leaves_the_layers_as_they_were(artifact: Path) -> None:
    store = InMemory()
    one = device(opened(artifact), store)
    layout = one._trainer.layout
    one.handle(task(0, layout, -1))
    before = personal_of(store)
    data = read(task(1, layout, 0), SERVER.public, 1 << 20)
    head = {**data.head, "local": {"epochs": 40, "rate": 1e38, "mu": 0.0, "scaffold": False}}
    refused = one.handle(made("task", head, data.body, SERVER).packed())
    assert isinstance(refused, Message)
    assert refused.kind == "refusal"
    after = personal_of(store)
    assert before is not None
    assert after is not None
    assert {n: a.tobytes() for n, a in before.items()} == {n: a.tobytes() for n, a in after.items()}


def test_layers_go_on_through_another_run_and_begin_as_the_model_does(artifact: Path) -> None:
    session, store = opened(artifact), InMemory()
    began = {n: state_of(session)[n].tobytes() for n in PERSONAL}
    assert personal_of(store) is None
    one = device(session, store)
    one.handle(task(0, one._trainer.layout, -1))
    first = personal_of(store)
    assert first is not None
    assert set(first) == set(PERSONAL)
    assert {n: a.tobytes() for n, a in first.items()} != began
    found = trainer(opened(artifact), store).train(
        np.zeros(one._trainer.layout.size, np.float32), {"epochs": 1, "rate": 1e-30, "mu": 0.0, "scaffold": False}, 0,
        None, None,
    )  # fmt: skip
    assert {n: a.tobytes() for n, a in found.personal.items()} == {n: a.tobytes() for n, a in first.items()}
    one.handle(task(0, one._trainer.layout, -1, run="tried/2"))
    second = personal_of(store)
    assert second is not None
    assert json.dumps(sorted(second)) == json.dumps(sorted(PERSONAL))
    assert any(second[n].tobytes() != first[n].tobytes() for n in PERSONAL)
