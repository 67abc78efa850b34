"""A few samples of one person: learnt where that helps, and else without a trace."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from torch import nn

import selvedge as sv
from selvedge.learn.guard.anchor import Anchor
from selvedge.learn.memory.replay import Replay
from selvedge.learn.metrics import predictions
from selvedge.learn.personal import Personalised, personalise

STEPS = 400


def digits() -> tuple[np.ndarray, np.ndarray]:
    found = load_digits()
    order = np.random.default_rng(0).permutation(len(found.target))
    return np.float32(found.images[order] / 16).reshape(-1, 64), np.int32(found.target[order])


def turned(x: np.ndarray) -> np.ndarray:
    """As this person's camera sees them: upside down."""
    return np.ascontiguousarray(x[:, ::-1])


@pytest.fixture(scope="module")
def plan() -> sv.Plan:
    torch.manual_seed(0)
    x, y = digits()
    model = nn.Sequential(nn.Linear(64, 24), nn.ReLU(), nn.Linear(24, 10))
    adam = torch.optim.Adam(model.parameters(), 1e-2)
    for _ in range(150):
        adam.zero_grad()
        nn.functional.cross_entropy(model(torch.tensor(x[:600])), torch.tensor(y[:600]).long()).backward()
        adam.step()
    return sv.plan(model, torch.zeros(4, 64), device="stm32f746", optimizer=sv.SGD(0.05))


@pytest.fixture
def session(plan: sv.Plan) -> sv.Session:
    return sv.compile(plan)


def remembered(x: np.ndarray, y: np.ndarray) -> Replay:
    memory = Replay(100_000, (64,), np.float32, classes=10)
    for sample, label in zip(x, y, strict=True):
        memory.add(sample, int(label))
    return memory


def anchor(margin: float) -> Anchor:
    x, y = digits()
    return Anchor(x[600:1000], y[600:1000], margin=margin)


def given(session: sv.Session, memory: Replay, **more: Any) -> Personalised:
    return personalise(session, memory, **{"steps": STEPS, "rate": 0.05, **more})


def test_what_helps_is_learnt(session: sv.Session) -> None:
    x, y = digits()
    own, asked = turned(x[1000:1080]), turned(x[1080:])
    before = (predictions(session, asked).argmax(1) == y[1080:]).mean()
    told: list[tuple[int, int]] = []
    found = given(session, remembered(own, y[1000:1080]), ask="better", on_progress=lambda *now: told.append(now))
    after = (predictions(session, asked).argmax(1) == y[1080:]).mean()
    assert found.learnt
    assert found.p < 0.05
    assert found.gain > 0.1
    assert after > before + 0.3
    assert told[-1] == (found.steps, found.steps)


def test_labels_without_meaning_leave_no_trace(session: sv.Session) -> None:
    x, _ = digits()
    labels = np.random.default_rng(1).integers(0, 10, 80)
    before = session.persistent()
    found = given(session, remembered(turned(x[1000:1080]), labels), ask="better")
    assert not found.learnt
    assert session.persistent() == before
    assert "left out" in found.why


def test_what_costs_the_others_more_than_was_promised_is_taken_back(session: sv.Session) -> None:
    x, y = digits()
    own, before = remembered(turned(x[1000:1080]), y[1000:1080]), session.persistent()
    found = given(session, own, anchor=anchor(0.02), share=0.0)
    assert not found.learnt
    assert found.lost is not None
    assert found.lost.upper > 0.02
    assert session.persistent() == before
    assert "2.0% is allowed" in found.why
    kept = given(session, own, anchor=anchor(1.0), share=0.5)
    assert kept.learnt
    assert kept.lost is not None
    assert kept.lost.mean < found.lost.mean


def test_a_rate_that_breaks_it_leaves_no_trace(session: sv.Session) -> None:
    x, y = digits()
    before = session.persistent()
    found = given(session, remembered(x[1000:1080], y[1000:1080]), rate=1e4)
    assert (found.learnt, found.why) == (False, "the loss leapt: lower the rate")
    assert session.persistent() == before


def test_an_interrupt_leaves_no_trace(session: sv.Session) -> None:
    x, y = digits()
    before = session.persistent()

    def stop(done: int, total: int) -> None:
        if done == 100:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        given(session, remembered(x[1000:1080], y[1000:1080]), on_progress=stop)
    assert session.persistent() == before


def test_the_same_call_ends_in_the_same_bits(plan: sv.Plan) -> None:
    x, y = digits()
    ends = []
    for _ in range(2):
        session = sv.compile(plan)
        given(session, remembered(turned(x[1000:1080]), y[1000:1080]), anchor=anchor(1.0), seed=3)
        ends.append(session.persistent())
    assert ends[0] == ends[1]


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"steps": 0}, "steps is 0: give a whole number >= 1"),
        ({"folds": 1}, "folds is 1: 20 samples are remembered: give 2 to 10"),
        ({"folds": 11}, "folds is 11: 20 samples are remembered"),
        ({"ask": "best"}, "ask is best: give better or no worse"),
    ],
)
def test_what_cannot_be_is_one_line(session: sv.Session, more: dict[str, Any], says: str) -> None:
    x, y = digits()
    with pytest.raises(sv.InvalidInput, match=says):
        given(session, remembered(x[:20], y[:20]), **more)


def test_a_session_that_has_learnt_is_refused(session: sv.Session) -> None:
    x, y = digits()
    session.step(x[:4], y[:4])
    with pytest.raises(sv.InvalidInput, match="session is after 1 steps: give one that has not learnt yet"):
        given(session, remembered(x[:20], y[:20]))


def test_the_rate_rises_over_a_twentieth_and_falls_as_a_cosine(
    session: sv.Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    x, y = digits()
    step, rates = session.step, list[float]()

    def seen(*given: Any, lr: float) -> float:
        rates.append(lr)
        return step(*given, lr=lr)

    monkeypatch.setattr(session, "step", seen)
    found = given(session, remembered(turned(x[1000:1080]), y[1000:1080]), folds=2)
    assert found.learnt
    assert len(rates) == found.steps == 2 * (STEPS // 2) + STEPS
    last = rates[-STEPS:]
    assert last[:20] == pytest.approx([0.05 * (i + 1) / 20 for i in range(20)])
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(torch.optim.SGD([torch.zeros(1)], 0.05), STEPS - 20)
    falling = []
    for _ in range(STEPS - 20):
        falling.append(schedule.get_last_lr()[0])
        schedule.optimizer.step()
        schedule.step()
    assert last[20:] == pytest.approx(falling)
