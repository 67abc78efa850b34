"""DP-SGD on the device: gradients that are PyTorch's, cut one by one, and steps that are counted."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import selvedge as sv
from selvedge.errors import InvalidInput
from selvedge.federate.client.per_example import PerExample
from selvedge.federate.client.session import state_of
from selvedge.federate.client.trainer import CannotTrain
from selvedge.federate.privacy.budget import Budget
from selvedge.federate.privacy.ledger import Ledger

LOCAL = {"epochs": 1, "rate": 0.5, "mu": 0.0}


def net(norm: bool = False) -> nn.Module:
    torch.manual_seed(0)
    more = [nn.BatchNorm1d(5)] if norm else []
    return nn.Sequential(nn.Linear(6, 5), *more, nn.Tanh(), nn.Linear(5, 3))


def samples(count: int = 24) -> tuple[Any, Any]:
    random = np.random.default_rng(count)
    return random.normal(size=(count, 6)).astype(np.float32), random.integers(0, 3, count).astype(np.int32)


@cache
def compiled(batch: int, optimizer: Any = None, norm: bool = False, **other: Any) -> sv.Session:
    return sv.compile(sv.plan(net(norm), torch.zeros(batch, 6), optimizer=optimizer or sv.SGD(0.1), **other))


def backward(model: nn.Module, x: Any, y: Any) -> None:
    model.zero_grad()
    nn.functional.cross_entropy(model(torch.from_numpy(x)), torch.from_numpy(y).long()).backward()


def privacy(**other: Any) -> sv.Privacy:
    given = {"clip": 0.1, "noise": 1.0, "epsilon": 50.0, "delta": 1e-5, "examples": 24} | other
    return sv.Privacy(**given, where="local", unit="example")


def trainer(session: sv.Session, **other: Any) -> PerExample:
    p = privacy()
    return PerExample(session, *samples(), p, other.pop("ledger", None) or Ledger(p.budget), **{"batch": 8} | other)


@pytest.mark.parametrize(("batch", "other"), [(1, {}), (8, {"accumulate": 4}), (4, {"norm": True})])
def test_the_gradient_of_one_example_is_pytorchs(batch: int, other: dict[str, Any]) -> None:
    session = compiled(batch, **other)
    made, (x, y) = trainer(session), samples()
    model = net("norm" in other).eval()
    before = {n: a.copy() for n, a in state_of(session).items()}
    for i in (0, 7):
        model.zero_grad()
        nn.functional.cross_entropy(
            model(torch.from_numpy(x[i : i + 1])), torch.from_numpy(y[i : i + 1]).long()
        ).backward()
        found = made.layout.arrays(made.gradient(i))
        for name, parameter in model.named_parameters():
            if parameter.grad is not None and "1." not in name[:2]:
                np.testing.assert_allclose(found[name], parameter.grad.numpy(), rtol=1e-3, atol=2e-6)
    for name, array in state_of(session).items():
        np.testing.assert_array_equal(array, before[name])


def none(count: int, sigma: float, source: Any) -> Any:
    return np.zeros(count, np.int64)


def test_without_noise_a_step_is_the_mean_of_what_was_cut() -> None:
    """All examples in a step: the sum is PyTorch's, each gradient cut to 0.1."""
    session, (x, y) = compiled(1), samples()
    made = trainer(session, batch=24, drawn=none)
    start = made.layout.vector(state_of(session))
    found = made.train(start, LOCAL, 0, None, None)
    model, total = net(), 0
    for i in range(24):
        model.zero_grad()
        nn.functional.cross_entropy(
            model(torch.from_numpy(x[i : i + 1])), torch.from_numpy(y[i : i + 1]).long()
        ).backward()
        whole = np.concatenate([p.grad.numpy().ravel() for p in model.parameters() if p.grad is not None])
        total = total + whole * min(1, 0.1 / np.linalg.norm(whole))
    np.testing.assert_allclose(found.vector, start - 0.5 / 24 * total, atol=1e-4 * 0.5)
    assert (found.weight, found.loss) == (1, 0.0)


def test_one_example_more_moves_no_step_by_more_than_its_bound() -> None:
    session, (x, y) = compiled(1), samples()
    start, ends = np.float32(np.random.default_rng(1).normal(0, 0.3, 53)), []
    for far in (x, np.concatenate([x[:-1], 1000 * x[-1:]])):
        p = privacy()
        made = PerExample(session, far, y, p, Ledger(p.budget), batch=24, drawn=none)
        ends.append(made.train(start, LOCAL, 0, None, None).vector)
    assert 0 < np.linalg.norm(ends[0] - ends[1]) <= 2 * 0.1 * 0.5 / 24 * 1.01


def test_steps_are_counted_at_the_rate_of_an_example_and_end_with_the_budget() -> None:
    ledger = Ledger(Budget(9.0, 1e-5))
    made = trainer(compiled(1), ledger=ledger)
    start = np.zeros(made.layout.size, np.float32)
    one = made.train(start, LOCAL, 0, None, None).vector
    ((release, count),) = ledger.spent.history
    assert (release.rate, release.noise, count) == (8 / 24, 1.0, 3)
    assert not np.array_equal(one, made.train(start, LOCAL, 0, None, None).vector), "no noise is there twice"
    assert ledger.spent.history == [(release, 6)]
    told = 2
    while ledger.spent.after(release, 3).epsilon(1e-5) <= 9:
        made.train(start, LOCAL, told, None, None)
        told += 1
    with pytest.raises(CannotTrain, match="budget is spent"):
        made.train(start, LOCAL, told, None, None)
    assert ledger.spent.epsilon(1e-5) <= 9


def test_what_has_no_gradients_of_its_own_is_refused() -> None:
    with pytest.raises(InvalidInput, match="optimizer"):
        trainer(compiled(1, sv.SGD(0.1, momentum=0.9)))
    with pytest.raises(InvalidInput, match="batch"):
        trainer(compiled(1), batch=25)
    with pytest.raises(InvalidInput, match="unit"):
        PerExample(compiled(1), *samples(), sv.Privacy(1.0, 1.0, 1.0, 1e-5), Ledger(Budget(1.0, 1e-5)))
    made = trainer(compiled(1), most_steps=2)
    start = np.zeros(made.layout.size, np.float32)
    with pytest.raises(CannotTrain, match="at most 2"):
        made.train(start, LOCAL, 0, None, None)
    with pytest.raises(CannotTrain, match="pull"):
        made.train(start, LOCAL | {"mu": 0.1}, 0, None, None)


def test_a_whole_run_of_private_examples() -> None:
    x, y = samples(60)
    y = (x[:, 0] > 0).astype(np.int32)
    shards = [(x[i : i + 12], y[i : i + 12]) for i in range(0, 60, 12)]
    run = sv.Federation("e", 2, 5, privacy=privacy(epsilon=20.0, examples=12), local=sv.Local(epochs=1, rate=0.5))
    told = sv.simulate(compiled(4), shards, run)
    assert told.phase == "done"
    assert 0 < told.statement["epsilon"] < told.statement["budget"]
    assert told.statement["unit"] == "an example on a device"
    assert told.statement["releases"] == 6
    assert told.points[-1].loss == 0


def test_how_many_examples_there_are_shapes_nothing_but_the_sum() -> None:
    """Steps, lots and the divisor are of what all say; a device that has more or fewer does the same."""
    session = compiled(1)
    start, histories = np.zeros(53, np.float32), []
    for count in (1, 23, 24, 25, 40):
        p = privacy()
        ledger = Ledger(p.budget)
        made = PerExample(session, *samples(count), p, ledger, batch=8, drawn=none)
        found = made.train(start, LOCAL, 0, None, None)
        assert (found.weight, found.loss) == (1, 0.0)
        histories.append(ledger.spent.history)
    assert [(h[0][0].rate, h[0][1]) for h in histories] == [(8 / 24, 3)] * 5


@pytest.mark.parametrize("far", [np.inf, 1e30])
@pytest.mark.parametrize(("batch", "other"), [(1, {}), (8, {"accumulate": 4})])
def test_an_example_that_overflows_is_no_refusal(batch: int, other: dict[str, Any], far: float) -> None:
    """A refusal has no noise: a model at which one example has no gradient would tell that it is there."""
    x, y = samples()
    odd = np.concatenate([x[:-1], np.full((1, 6), far, np.float32)])
    ends, layout = [], trainer(compiled(1)).layout
    crafted = {"0.weight": 0.05, "0.bias": 0.0, "2.weight": 1e38, "2.bias": 0.0}  # only what saturates overflows
    start = layout.vector({n: np.full(layout.shapes[n], v, np.float32) for n, v in crafted.items()})
    for mine, labels in ((odd, y), (x[:-1], y[:-1])):
        p = privacy()
        ledger = Ledger(p.budget)
        made = PerExample(compiled(batch, **other), mine, labels, p, ledger, batch=24, drawn=none)
        ends.append(made.train(start, LOCAL, 0, None, None).vector)
        assert ledger.spent.history
    assert np.any(ends[0] != start)
    np.testing.assert_array_equal(*ends, err_msg="it counts as one of 0")
