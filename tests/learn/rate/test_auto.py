"""A learner, and one who learns a person, find their own rate."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
import torch
from torch import nn

import selvedge as sv
from selvedge.errors import DoesNotFit, InvalidInput
from selvedge.learn.habits import AUTO, Habits
from selvedge.learn.personal import personalise
from selvedge.learn.rate.pace import auto_rate, cost, room

from .. import small
from ..small import begun, data, floats, follow, grey, learner, right, same


class Rationed:
    """A governor that never grants more than so many steps at once."""

    def __init__(self, most: int) -> None:
        self.most, self.spent = most, 0

    def grant(self, steps: int, /) -> int:
        return min(steps, self.most)

    def spend(self, *, steps: int = 0, predictions: int = 0) -> None:
        self.spent += steps


def test_a_learner_finds_a_rate_once_and_learns_with_it() -> None:
    own = learner(small.session(which=4), habits=Habits(rate="auto"))
    x, y = data()["stream"]
    follow(own, grey(x[: AUTO - 1]), y[: AUTO - 1])
    assert "rate" not in own.diary.counts
    follow(own, grey(x[AUTO - 1 : 400]), y[AUTO - 1 : 400])
    assert own.diary.counts["rate"] == 1
    found = own._candidate.pace
    assert found is not None
    assert found.there
    assert found.parts == 1
    assert 1e-4 < found.rate < 0.3
    assert own.tally.commits >= 1
    assert right(own, grey(x[480:]), y[480:]) > begun(grey(x[480:]), y[480:]) + 0.1
    assert own.bytes.ram["rate"] == found.bytes + found.room
    other = learner(small.session(which=5), habits=Habits(rate="auto"))
    other.load_state_dict(own.state_dict())
    for one in (own, other):
        follow(one, grey(x[400:440]), y[400:440])
    assert same(own.state_dict(), other.state_dict())


def test_another_rate_is_another_learner_and_costs_its_samples() -> None:
    plain, auto = learner(), learner(habits=Habits(rate="auto"))
    assert auto.bytes.total == plain.bytes.total + 16 + 32 * (64 * 4 + 4)
    with pytest.raises(DoesNotFit, match="RAM of the learner"):
        learner(habits=Habits(rate="auto"), budget=auto.bytes.total - 1)
    learner(habits=Habits(rate="auto"), budget=auto.bytes.total)
    with pytest.raises(InvalidInput):
        plain.load_state_dict(auto.state_dict())


def test_energy_that_does_not_reach_puts_it_off() -> None:
    x, y = data()["stream"]
    poor, rich = Rationed(32), Rationed(1000)
    for governor, found in ((poor, False), (rich, True)):
        own = learner(small.session(which=4), habits=Habits(rate="auto"), governor=governor)
        follow(own, grey(x[:80]), y[:80])
        assert ("rate" in own.diary.counts) is found
        assert governor.spent == own.tally.steps + found * cost(own.session)


@pytest.mark.parametrize("accumulate", [1, 2])
def test_what_finding_a_rate_holds_is_what_is_counted(accumulate: int) -> None:
    """As Python's allocator counts it, of arrays large beside all else."""
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(1000, 100), nn.ReLU(), nn.Linear(100, 4))
    session = sv.compile(sv.plan(net, torch.zeros(accumulate, 1000), accumulate=accumulate, optimizer=sv.SGD(0.01)))
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(64, 1000)).astype(np.float32), rng.integers(0, 4, 64).astype(np.int32)
    copy, counted = sum(a.nbytes for a in session.snapshot().values()), room(session, 4000)
    tracemalloc.start()
    try:
        auto_rate(session, lambda n: (x[:n].copy(), y[:n].copy()), batches=2)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    largest = 1000 * 100 * 8  # of one array's passing result
    assert copy + counted <= peak + 20_000
    assert peak <= copy + counted + largest + 60_000
    assert counted > (32 * 4000 if accumulate == 1 else 2 * 8 * 100_000)


def test_a_rate_that_is_not_found_is_named_as_it_was_asked_for() -> None:
    session, memory = small.session(which=6), small.memory(40)
    x, y = data()["stream"]
    for sample, label in zip(floats(x[:40]) * np.float32(3e4), y[:40], strict=True):
        memory.add(sample, int(label))
    start = session.snapshot()
    with pytest.raises(InvalidInput, match=r"rate is auto: it diverges at .*, so that none is found: give a number"):
        personalise(session, memory, steps=10, rate="auto", folds=2)
    assert same(session.snapshot(), start)


@pytest.mark.parametrize("rate", [0, -1.0, np.inf, "fast", True])
def test_other_rates_are_refused(rate: object) -> None:
    with pytest.raises(InvalidInput, match="rate"):
        Habits(rate=rate)  # type: ignore[arg-type]
    with pytest.raises(InvalidInput, match="rate"):
        personalise(small.session(), small.memory(), steps=10, rate=rate)  # type: ignore[arg-type]


def test_a_person_is_learnt_at_the_rate_that_was_found() -> None:
    x, y = data()["stream"]
    memory, session = small.memory(80), small.session(which=4)
    for sample, label in zip(grey(x[:80]), y[:80], strict=True):
        memory.add(sample, int(label))
    told = personalise(session, memory, steps=400, rate="auto", anchor=small.anchor(0.5), folds=2)
    assert told.learnt
    assert told.pace is not None
    assert told.pace.test.diverged is not None
    assert told.pace.rate == told.pace.test.rate
    predicted = np.concatenate([session.predict(grey(x[i : i + 4])).argmax(1) for i in range(480, 696, 4)])
    assert float((predicted == y[480:696]).mean()) > begun(grey(x[480:]), y[480:]) + 0.2
