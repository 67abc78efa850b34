"""Where the loss leaps, everything begins again at half the rate."""

from __future__ import annotations

import numpy as np
import torch

import selvedge as sv
from selvedge.learn.memory.replay import Replay
from selvedge.learn.personal import HALVINGS, LEAPT, Personalised, personalise


def told(rate: float) -> tuple[Personalised, list[tuple[int, int]], bool]:
    """What two clouds come to at ``rate``, its progress, and whether the session is as it began."""
    draw = np.random.default_rng(0)
    y = np.arange(40, dtype=np.int32) % 2
    x = np.float32(draw.normal(size=(40, 8)) + 2 * y[:, None])
    torch.manual_seed(0)
    net = torch.nn.Sequential(torch.nn.Linear(8, 16), torch.nn.ReLU(), torch.nn.Linear(16, 2))
    session = sv.compile(sv.plan(net, torch.zeros(4, 8), optimizer=sv.SGD(0.01)))
    start = session.snapshot()
    memory = Replay(4096, (8,), np.float32, classes=2)
    for sample, label in zip(x, y, strict=True):
        memory.add(sample, int(label))
    seen: list[tuple[int, int]] = []
    made = personalise(session, memory, steps=60, rate=rate, folds=2, on_progress=lambda *a: seen.append(a))
    same = all(a.tobytes() == session.snapshot()[name].tobytes() for name, a in start.items())
    return made, seen, same


def test_a_rate_that_leaps_is_halved() -> None:
    made = next(m for m in (told(rate)[0] for rate in (4.0, 5.0, 6.0, 3.0)) if m.halved)
    assert made.halved in (1, 2)
    assert made.why != LEAPT


def test_it_is_halved_twice_at_most_and_nothing_is_left() -> None:
    made, seen, same = told(1e9)
    assert not made.learnt
    assert made.why == LEAPT
    assert made.halved == HALVINGS
    assert same
    assert all(done <= total for done, total in seen)


def test_a_rate_that_holds_is_left_alone() -> None:
    made, seen, _ = told(0.05)
    assert made.learnt
    assert made.halved == 0
    assert seen[-1][0] == seen[-1][1] == made.steps
