"""Schedules are PyTorch's where PyTorch has them, and survive their manifest."""

from __future__ import annotations

import math

import pytest
import torch

from selvedge.artifact.schedule import Constant, Cosine, InverseSqrt, Schedule, Step, from_dict

ALL: list[Schedule] = [Constant(0.1), Step(0.1, 3, 0.5), Cosine(0.1, 20, 5, 0.01), InverseSqrt(0.1, 4)]


@pytest.mark.parametrize("schedule", ALL, ids=lambda s: type(s).__name__)
def test_schedules_are_data(schedule: Schedule) -> None:
    assert from_dict(schedule.to_dict()) == schedule
    assert all(schedule.lr(step) >= 0 for step in range(50))


def _pytorch(make, steps: int) -> list[float]:
    optimizer = torch.optim.SGD([torch.zeros(1)], 0.1)
    schedule, rates = make(optimizer), []
    for _ in range(steps):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    return rates


def test_step_is_pytorchs() -> None:
    expected = _pytorch(lambda o: torch.optim.lr_scheduler.StepLR(o, 3, 0.5), 12)
    assert [Step(0.1, 3, 0.5).lr(i) for i in range(12)] == pytest.approx(expected)


def test_cosine_without_warm_up_is_pytorchs() -> None:
    expected = _pytorch(lambda o: torch.optim.lr_scheduler.CosineAnnealingLR(o, 10, 0.01), 11)
    assert [Cosine(0.1, 10, 0, 0.01).lr(i) for i in range(11)] == pytest.approx(expected)


def test_warm_up_is_linear_and_ends_at_the_base() -> None:
    cosine = Cosine(0.1, 20, 5)
    assert [cosine.lr(i) for i in range(6)] == pytest.approx([0.02, 0.04, 0.06, 0.08, 0.1, 0.1])
    assert cosine.lr(20) == cosine.lr(99) == pytest.approx(0.0)
    root = InverseSqrt(0.1, 4)
    assert [root.lr(i) for i in range(4)] == pytest.approx([0.025, 0.05, 0.075, 0.1])
    assert root.lr(15) == pytest.approx(0.1 * math.sqrt(4 / 16))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Constant(-1), "schedule base is -1"),
        (lambda: Step(0.1, 0), "schedule every is 0"),
        (lambda: Cosine(0.1, 5, 5), "schedule warmup is 5: it must lie in 0..4 steps"),
        (lambda: Cosine(0.1, 5, 0, 0.2), "schedule least is 0.2"),
        (lambda: from_dict({"schedule": "linear"}), "schedule name is linear: it must be one of constant, step"),
        (lambda: from_dict({"schedule": "step", "rate": 1}), "schedule step is of fields rate"),
    ],
)
def test_bad_schedules_are_refused(make, message: str) -> None:
    with pytest.raises(ValueError) as error:
        make()
    assert str(error.value).startswith(message)
