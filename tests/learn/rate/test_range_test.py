"""A range test finds where steps fall apart, and leaves no trace."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import selvedge as sv
from selvedge.errors import InvalidInput
from selvedge.learn.rate.range_test import range_test
from selvedge.learn.rate.step import Lesson, step
from selvedge.run.session import Session

from .. import small
from ..small import same

EIGHTH = 1 / 8


def quadratic(curvature: float, accumulate: int = 1) -> Session:
    """Loss curvature / 2 * w^2 for an input of sqrt(curvature / 2): a step multiplies w by 1 - rate * curvature."""
    net = torch.nn.Linear(1, 1, bias=False)
    torch.nn.init.constant_(net.weight, 2.0)
    return sv.compile(sv.plan(net, torch.zeros(4, 1), loss="mse", optimizer=sv.SGD(0.1), accumulate=accumulate))


def sure(curvature: float) -> Lesson:
    x = np.float32(np.sqrt(curvature / 2))
    return lambda n: (np.full((n, 1), x, np.float32), np.zeros((n, 1), np.float32))


@pytest.mark.parametrize("curvature", [2.0, 20.0, 200.0])
def test_it_diverges_where_a_quadratic_does(curvature: float) -> None:
    """Above 2 / curvature each step is larger than the one before; four of them show it within two rates."""
    session = quadratic(curvature)
    found = range_test(session, sure(curvature), lowest=1e-4, highest=30, rates=40)
    assert found.diverged is not None
    ratio = (30 / 1e-4) ** (1 / 39)
    assert 2 / curvature < found.diverged < ratio**2 * 2 / curvature * 1.5
    assert found.rate == found.diverged / 2
    assert found.rates.shape == found.losses.shape
    assert "diverges" in str(found)


def test_the_session_is_bit_for_bit_what_it_was() -> None:
    session = small.session(which=3)
    x, y = small.data()["stream"]
    for i in range(3):  # so that its momentum is not 0
        session.step(x[4 * i : 4 * i + 4], y[4 * i : 4 * i + 4])
    before, steps = session.snapshot(), session.steps
    rng = np.random.default_rng(0)

    def lesson(n: int) -> tuple[np.ndarray, np.ndarray]:
        rows = rng.integers(len(y), size=n)
        return x[rows], y[rows]

    found = range_test(session, lesson)
    assert found.diverged is not None
    assert same(session.snapshot(), before)
    assert session.steps == steps


def test_an_interrupt_leaves_no_trace_either() -> None:
    session, calls = quadratic(2.0), 0
    before = session.snapshot()

    def lesson(n: int) -> tuple[np.ndarray, np.ndarray]:
        nonlocal calls
        calls += 1
        if calls == 20:
            raise KeyboardInterrupt
        return np.ones((n, 1), np.float32), np.zeros((n, 1), np.float32)

    with pytest.raises(KeyboardInterrupt):
        range_test(session, lesson)
    assert same(session.snapshot(), before)


def test_what_never_diverges_gets_the_least_loss_and_what_always_does_none() -> None:
    found = range_test(quadratic(2.0), sure(2.0), highest=0.5)
    assert found.diverged is None
    assert found.rate == found.rates[found.losses.argmin()]
    with pytest.raises(InvalidInput, match="lowest"):
        range_test(quadratic(200.0), sure(200.0), lowest=1.0, highest=10.0)


def test_settings_that_cannot_be_are_refused() -> None:
    for field, settings in (
        ("lowest", {"lowest": 0.0}),
        ("lowest", {"lowest": 2.0, "highest": 1.0}),
        ("rates", {"rates": 4}),
        ("parts", {"parts": 2}),
    ):
        with pytest.raises(InvalidInput, match=field):
            range_test(quadratic(2.0), sure(2.0), **settings)  # type: ignore[arg-type]


@pytest.mark.parametrize("parts", [1, 2])
def test_fewer_micro_batches_are_a_step_of_their_samples_alone(parts: int) -> None:
    """As a plan without accumulation makes it of the same samples."""
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(parts, 1)).astype(np.float32), rng.normal(size=(parts, 1)).astype(np.float32)
    fewer = quadratic(2.0, accumulate=4)
    loss = step(fewer, x, y, EIGHTH, parts)
    net = torch.nn.Linear(1, 1, bias=False)
    torch.nn.init.constant_(net.weight, 2.0)
    alone = sv.compile(sv.plan(net, torch.zeros(parts, 1), loss="mse", optimizer=sv.SGD(0.1)))
    assert loss == pytest.approx(alone.step(x, y, lr=EIGHTH), rel=1e-6)
    assert fewer.state_dict()["weight"] == pytest.approx(alone.state_dict()["weight"], rel=1e-6)
    assert fewer.accumulated == 0
    with pytest.raises(InvalidInput):
        step(fewer, np.full_like(x, np.nan), y, EIGHTH, parts)
    assert fewer.accumulated == 0
