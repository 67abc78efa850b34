"""A class from five examples: known afterwards, the others kept, and taken back to the bit."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

import selvedge as sv
from selvedge.errors import DoesNotFit, InvalidInput
from selvedge.learn.learner import Learner
from selvedge.learn.metrics import predictions
from selvedge.learn.spare import BELOW, Labels


@dataclass
class Digits:
    """Nine digits that a net with three spare outputs has learnt; the tenth, ``new``, is class 9."""

    artifact: Path
    x: np.ndarray
    y: np.ndarray
    test: np.ndarray

    def learner(self, seed: int = 0, **given: object) -> Learner:
        held = np.arange(500, 1200)
        anchor = np.concatenate([self._old(np.arange(300)), self._old(held)])
        memory = sv.Replay(16 << 10, (64,), np.float32, classes=12, seed=seed)
        made = sv.Learner(
            sv.load(self.artifact),
            memory=memory,
            anchor=sv.Anchor(self.x[anchor], self.y[anchor], judging=len(self._old(held))),
            labels=[str(i) for i in range(9)],
            seed=seed,
            **given,  # type: ignore[arg-type]
        )
        for i in self._old(np.arange(300, 500)):
            memory.add(self.x[i], int(self.y[i]))
        return made

    def _old(self, rows: np.ndarray) -> np.ndarray:
        return rows[self.y[rows] != 9]

    def right(self, learner: Learner, new: bool) -> float:
        rows = self.test[(self.y[self.test] == 9) == new]
        return float((predictions(learner.session, self.x[rows]).argmax(1) == self.y[rows]).mean())

    def examples(self, seed: int) -> np.ndarray:
        return self.x[np.flatnonzero(self.y[:1200] == 9)[seed * 5 : seed * 5 + 5]]


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Digits:
    x, y = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(x))
    x, y = np.float32(x[order]) / 16, ((y[order] - 1) % 10).astype(np.int32)  # the new one is the digit 0
    torch.manual_seed(0)
    net = torch.nn.Sequential(torch.nn.Linear(64, 64), torch.nn.ReLU(), torch.nn.Linear(64, 12))
    rows = np.flatnonzero(y[:500] != 9)
    optimizer = torch.optim.Adam(net.parameters(), 0.01)
    for _ in range(200):
        loss = torch.nn.functional.cross_entropy(net(torch.tensor(x[rows])), torch.tensor(y[rows]).long())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    folder = tmp_path_factory.mktemp("digits") / "net"
    sv.emit(sv.plan(net, torch.zeros(8, 64), optimizer=sv.SGD(lr=0.1)), "c", folder)
    return Digits(folder, x, y, np.arange(1200, 1797))


@pytest.mark.parametrize("seed", range(3))
def test_a_class_from_five_examples_costs_the_others_at_most_a_point_and_is_taken_back(
    digits: Digits, seed: int
) -> None:
    learner = digits.learner(seed)
    learner.finish()
    weights, memory = learner.session.snapshot(), learner.memory.state_dict()
    labels, before = learner.labels, digits.right(learner, new=False)
    assert labels is not None
    assert digits.right(learner, new=True) == 0  # a spare output never wins

    assert learner.enrol("nought", digits.examples(seed))
    assert labels.names[8:] == ("8", "nought", None, None)
    assert digits.right(learner, new=True) > 0.7
    assert digits.right(learner, new=False) >= before - 0.01
    logits = predictions(learner.session, digits.x[digits.test])
    own = learner.session.snapshot()
    assert sum(int((own[name] != weights[name]).sum()) for name in own) <= 65  # a row of 64 and a bias
    assert (logits[:, 10:] <= logits[:, :10].min(1, keepdims=True) - BELOW + 1e-3).all()

    learner.undo()
    after = learner.session.snapshot()
    assert all(after[name].tobytes() == weights[name].tobytes() for name in weights)
    kept = learner.memory.state_dict()
    assert all(kept[name].tobytes() == memory[name].tobytes() for name in memory)
    assert labels.names[9:] == (None, None, None)
    assert [e.kind for e in learner.diary] == ["enrolled", "undone"]
    with pytest.raises(InvalidInput, match="without an enrolment"):
        learner.undo()


def test_what_is_learnt_afterwards_is_taken_back_too_and_a_state_remembers_the_way_back(digits: Digits) -> None:
    learner = digits.learner()
    weights = learner.session.snapshot()
    size = learner.bytes.total
    assert learner.enrol("nought", digits.examples(0))
    for i in range(1200, 1240):
        learner.learn_one(digits.x[i], int(digits.y[i]))
    again = digits.learner()
    again.load_state_dict(learner.state_dict())
    again.undo()
    after = again.session.snapshot()
    assert all(after[name].tobytes() == weights[name].tobytes() for name in weights)
    assert learner.bytes.total == again.bytes.total == size


def test_examples_that_would_cost_the_others_too_much_are_refused_and_leave_nothing(digits: Digits) -> None:
    """Fives that somebody enrols as a new class."""
    learner = digits.learner()
    state = learner.state_dict()
    fives = digits.x[np.flatnonzero(digits.y[:500] == 4)[:5]]
    assert not learner.enrol("five", fives)
    after = learner.state_dict()
    parts = ("deployed", "memory", "enrolment/names")
    assert all(after[n].tobytes() == state[n].tobytes() for n in state if n.startswith(parts))
    assert [e.kind for e in learner.diary] == ["refused"]


def test_outputs_run_out(digits: Digits) -> None:
    labels = Labels(["a"], 2)
    labels.enter("b")
    with pytest.raises(DoesNotFit, match="more outputs"):
        labels.enter("c")


def test_what_cannot_be_enrolled_is_one_line(digits: Digits) -> None:
    learner, x = digits.learner(), digits.examples(0)
    for label, given, steps, said in (
        ("3", x, 10, "it is there already"),
        ("", x, 10, "give a name of 1 to 32 bytes"),
        ("n" * 33, x, 10, "give a name of 1 to 32 bytes"),
        ("n", x[:0], 10, "give one or more samples"),
        ("n", x[:, :5], 10, "give float32"),
        ("n", np.where(x > 0.5, np.nan, x), 10, "all finite"),
        ("n", x, 0, "steps is 0"),
    ):
        with pytest.raises(InvalidInput, match=said):
            learner.enrol(label, given, steps=steps)
    with pytest.raises(InvalidInput, match="this output is spare"):
        learner.learn_one(x[0], 9)
    with pytest.raises(InvalidInput, match="give the learner labels="):
        sv.Learner(
            sv.load(digits.artifact), memory=sv.Replay(8 << 10, (64,), np.float32, classes=12)
        ).enrol("n", x)  # fmt: skip


def test_a_commit_that_goes_part_of_the_way_does_not_unlearn_what_was_enrolled(digits: Digits) -> None:
    learner = digits.learner()
    assert learner.enrol("nought", digits.examples(0))
    own = learner.session.snapshot()
    before = digits.learner().session.snapshot()
    half = learner._candidate.copies.blend(0.5).arrays
    for name in own:
        rows = own[name] != before[name]
        assert np.array_equal(half[name][rows], own[name][rows]), name
    learner.undo()
    assert all(not mark.any() for mark in learner._candidate.copies.marks.values())
