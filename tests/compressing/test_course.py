"""The loop that every training on a workstation has: its epochs, its refusals, and what is left where it ends early."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import selvedge as sv
from selvedge.compressing.course import Course, Diverged, Learnt, Rows, adam, learn

X = torch.linspace(-1, 1, 24).reshape(12, 2)
Y = X.sum(1, keepdim=True)


def order(epoch: int) -> Rows:
    return np.random.default_rng(epoch).permutation(12)


def course(epochs: int, rate: float = 0.1) -> Course:
    return Course(epochs, 5, rate, order, 3)


def run(net: nn.Linear, epochs: int, infinite: int = 99) -> Learnt[dict[str, Tensor], float]:
    """The loss is not finite from epoch ``infinite`` on."""
    seen: list[int] = []

    def loss(rows: Rows) -> Tensor:
        far = float("inf") if len(seen) > infinite else 1.0
        return ((net(X[rows]) - Y[rows]) ** 2).mean() * far

    def judge() -> float:
        return -float(((net(X) - Y) ** 2).mean().detach())

    return learn(net, 12, loss, judge, lambda: copy.deepcopy(net.state_dict()), course(epochs), before=seen.append)


def test_the_best_epoch_is_kept_and_torchs_generator_stays() -> None:
    torch.manual_seed(1)
    net = nn.Linear(2, 1)
    before = torch.get_rng_state()
    found = run(net, 6)
    assert torch.equal(before, torch.get_rng_state())
    assert len(found.judged) == 6
    assert found.judged[found.epoch - 1] == max(found.judged)
    kept = nn.Linear(2, 1)
    kept.load_state_dict(found.best)
    assert -float(((kept(X) - Y) ** 2).mean().detach()) == max(found.judged)


def test_one_that_diverges_says_what_was_found_before() -> None:
    torch.manual_seed(1)
    net, twin = nn.Linear(2, 1), nn.Linear(2, 1)
    twin.load_state_dict(net.state_dict())
    with pytest.raises(Diverged, match=r"lr is 0\.1: the loss became inf in epoch 4: lower it, as 0\.01") as told:
        run(net, 6, infinite=3)
    assert told.value.epoch == 4
    found = told.value.learnt
    assert found is not None
    assert found.judged == run(twin, 6).judged[:3]
    with pytest.raises(Diverged) as told:
        run(nn.Linear(2, 1), 6, infinite=0)
    assert told.value.learnt is None


def test_what_cannot_be_trained_is_one_line() -> None:
    with pytest.raises(sv.InvalidInput, match="model is without parameters that learn: give one with some that"):
        adam(nn.Linear(2, 1).requires_grad_(False), 0.1)
    net = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))
    alone = Course(1, 1, 0.1, order, 0)
    with pytest.raises(sv.InvalidInput, match="batch is 1: the model cannot be trained on it: Expected more than 1"):
        learn(net, 12, lambda rows: net(X[rows]).sum(), lambda: 0.0, lambda: None, alone)
