"""One compiled step lowers what its target says, as PyTorch would."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

import selvedge as sv
from selvedge.errors import InvalidInput
from selvedge.learn.draws import Draws
from selvedge.learn.objectives.consistency import Consistency
from selvedge.learn.objectives.entropy import Entropy
from selvedge.learn.objectives.next_step import NextStep
from selvedge.learn.objectives.objective import Objective
from selvedge.learn.objectives.reconstruction import Reconstruction

X = np.random.default_rng(0).normal(size=(8, 6)).astype(np.float32)


def network() -> torch.nn.Module:
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Linear(6, 8), torch.nn.ReLU(), torch.nn.Linear(8, 3))


def shifted(x: np.ndarray, draws: Draws) -> np.ndarray:
    return np.asarray(x + np.float32(0.1) * draws.normal(*x.shape), np.float32)


def entropy(net: torch.nn.Module, x: torch.Tensor, draws: Draws) -> torch.Tensor:
    """Tent's loss, by PyTorch's own distribution."""
    return torch.distributions.Categorical(logits=net(x)).entropy().mean()


def sure_entropy(net: torch.nn.Module, x: torch.Tensor, draws: Draws) -> torch.Tensor:
    """EATA's: only of what is below 0.4 ln C, weighted by exp(bound - entropy), a constant."""
    found = torch.distributions.Categorical(logits=net(x)).entropy()
    bound = 0.9 * np.log(3)
    weight = torch.exp(bound - found.detach()) * (found.detach() < bound)
    return (weight * found).mean()


def consistent(net: torch.nn.Module, x: torch.Tensor, draws: Draws) -> torch.Tensor:
    with torch.no_grad():
        p = net(x).softmax(1)
    certain = p.max(1).values >= 0.4
    view = torch.from_numpy(shifted(x.numpy(), draws))
    each = torch.nn.functional.cross_entropy(net(view), p.argmax(1), reduction="none")
    return (each * certain).mean()


@pytest.mark.parametrize(
    ("objective", "theirs"),
    [(Entropy(None), entropy), (Entropy(0.9), sure_entropy), (Consistency(shifted, sure=0.4), consistent)],
)
def test_a_step_is_that_of_pytorch(objective: Objective, theirs: Any) -> None:
    net = network()
    session = sv.compile(sv.plan(net, torch.zeros(8, 6), loss=sv.label_free(3), optimizer=sv.SGD(0.5)))
    objective.require(session)
    lesson = objective.lesson(session, X, session.predict(X), Draws(5))
    assert lesson is not None
    loss = session.step(*lesson)
    optimiser = torch.optim.SGD(net.parameters(), 0.5)
    wanted = theirs(net, torch.from_numpy(X), Draws(5))
    wanted.backward()
    optimiser.step()
    assert loss == pytest.approx(wanted.item(), rel=1e-5)
    for name, array in session.state_dict().items():
        assert np.abs(np.asarray(array) - net.state_dict()[name].detach().numpy()).max() < 1e-6


def test_a_label_is_a_target_too() -> None:
    session = sv.compile(sv.plan(network(), torch.zeros(8, 6), loss=sv.label_free(3), optimizer=sv.SGD(0.5)))
    y = np.arange(8) % 3
    target = np.concatenate([np.eye(3)[y], np.zeros((8, 1))], 1).astype(np.float32)
    found, _ = session.evaluate(X, target)
    wanted = torch.nn.functional.cross_entropy(network()(torch.from_numpy(X)), torch.from_numpy(y))
    assert found == pytest.approx(wanted.item(), rel=1e-6)


def test_where_nothing_is_sure_nothing_is_learnt() -> None:
    session = sv.compile(sv.plan(network(), torch.zeros(8, 6), loss=sv.label_free(3), optimizer=sv.SGD(0.5)))
    flat = np.zeros((8, 3), np.float32)
    assert Entropy().lesson(session, X, flat, Draws(0)) is None
    assert Consistency(shifted).lesson(session, X, flat, Draws(0)) is None


def test_another_loss_is_refused() -> None:
    session = sv.compile(sv.plan(network(), torch.zeros(8, 6)))
    for objective in (Entropy(), Consistency(shifted)):
        with pytest.raises(InvalidInput, match="label_free"):
            objective.require(session)
    with pytest.raises(InvalidInput, match="reconstruction"):
        Reconstruction().require(session)
    with pytest.raises(InvalidInput, match="mse"):
        NextStep().require(session)
    for made in (lambda: Entropy(0.0), lambda: Consistency(shifted, sure=1.0), lambda: sv.label_free(1)):
        with pytest.raises(InvalidInput):
            made()
