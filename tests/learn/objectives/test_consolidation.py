"""Elastic weight consolidation beside PyTorch: the Fisher information, the penalty, and its proximal step."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

import selvedge as sv
from selvedge.errors import InvalidInput, NotSupported
from selvedge.learn.objectives.consolidation import Consolidation

N, C = 4, 3
MOMENTUM = 0.9


def net() -> nn.Sequential:
    torch.manual_seed(2)
    return nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, C))


def session(**optimizer: Any) -> Any:
    return sv.compile(sv.plan(net(), torch.zeros(N, 6), optimizer=sv.SGD(0.05, momentum=MOMENTUM, **optimizer)))


def samples(n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, 6)).astype(np.float32), rng.integers(0, C, n).astype(np.int32)


def fisher(model: nn.Module, x: np.ndarray, y: np.ndarray) -> dict[str, np.ndarray]:
    """Of PyTorch: squared gradients of one sample after the other."""
    found = {name: np.zeros(tuple(p.shape)) for name, p in model.named_parameters()}
    for i in range(len(x)):
        model.zero_grad()
        F.cross_entropy(model(torch.from_numpy(x[i : i + 1])), torch.from_numpy(y[i : i + 1]).long()).backward()
        for name, p in model.named_parameters():
            assert p.grad is not None
            found[name] += p.grad.numpy().astype(np.float64) ** 2 / len(x)
    return found


def stored(own: Any, name: str, array: np.ndarray) -> np.ndarray:
    layout = own.manifest.state[name].layout
    return np.asarray(layout.store(array) if layout else array)


def test_the_fisher_information_is_pytorchs_and_the_session_is_what_it_was() -> None:
    own, (x, y) = session(), samples(12)
    own.step(x[:N], y[:N])  # momentum that must not count
    model = net()
    model.load_state_dict(own.state_dict())
    before, kept = own.snapshot(), Consolidation(own, 1.0)
    kept.learnt(x, y)
    assert all(before[n].tobytes() == a.tobytes() for n, a in own.snapshot().items())
    assert own.steps == 1
    for name, wanted in fisher(model, x, y).items():
        np.testing.assert_allclose(kept.fisher[name], stored(own, name, wanted), rtol=1e-3, atol=1e-7)
    assert kept.bytes == 8 * sum(p.numel() for p in model.parameters())


def test_the_fisher_information_is_the_same_whatever_becomes_of_a_gradient() -> None:
    x, y = samples(6)
    found = []
    for nesterov in (False, True):
        kept = Consolidation(session(nesterov=nesterov), 1.0)
        kept.learnt(x, y)
        found.append(kept.fisher)
    for name, array in found[0].items():
        np.testing.assert_allclose(found[1][name], array, rtol=1e-3, atol=1e-7)


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_it_settles_where_loss_and_penalty_are_least_together(momentum: float) -> None:
    """loss (w x - 1)^2 of x = 1, from w* = 0: F = 4 there, so that w = 2 / (2 + 4 strength)."""
    model = nn.Linear(1, 1, bias=False)
    nn.init.zeros_(model.weight)
    one, goal = np.ones((1, 1), np.float32), np.ones((1, 1), np.float32)
    plan = sv.plan(model, torch.zeros(1, 1), loss="mse", optimizer=sv.SGD(0.01, momentum=momentum))
    own = sv.compile(plan)
    kept = Consolidation(own, 0.5)
    kept.learnt(one, goal)
    assert float(kept.fisher["weight"].item()) == pytest.approx(4)
    for _ in range(2000):
        own.step(one, goal, lr=0.001)
        kept.pull(0.001)
    assert float(own.snapshot()["weight"].item()) == pytest.approx(0.5, abs=0.01)


def test_earlier_tasks_count_less_by_the_decay() -> None:
    own, kept = session(), None
    found = []
    for seed in range(2):
        alone = Consolidation(own, 1.0)
        alone.learnt(*samples(5, seed))
        found.append(alone.fisher)
        kept = kept or Consolidation(own, 1.0, decay=0.25)
        kept.learnt(*samples(5, seed))
    assert kept is not None
    for name in found[0]:
        np.testing.assert_allclose(kept.fisher[name], 0.25 * found[0][name] + found[1][name], rtol=1e-5)


@settings(deadline=None, max_examples=20)
@given(strength=st.floats(0.01, 1e6), rate=st.floats(1e-4, 1.0), seed=st.integers(0, 9))
def test_the_pull_is_where_penalty_and_distance_are_least(strength: float, rate: float, seed: int) -> None:
    """The gradient of |u - w|^2 / 2 + rate strength / 2 sum F (u - w*)^2 is nothing at u, in float64."""
    own = OWN
    own.restore(START, 0)
    kept = Consolidation(own, strength)
    kept.learnt(*samples(3, seed))
    anchor = own.snapshot()
    own.step(*samples(N, seed + 1), lr=0.3)
    away = own.snapshot()
    kept.pull(rate)
    for name, u in own.snapshot().items():
        if name not in kept.fisher:
            assert u.tobytes() == away[name].tobytes()
            continue
        w, a, f = (part.astype(np.float64) for part in (away[name], anchor[name], kept.fisher[name]))
        force = rate / (1 - MOMENTUM) * strength * f
        slope = (u - w) + force * (u - a)
        assert np.abs(slope / (1 + force)).max() < 1e-6
        assert (np.abs(u - a) <= np.abs(w - a) + 1e-7).all()


def test_a_small_rate_is_the_penaltys_own_gradient_step() -> None:
    """As PyTorch descends the penalty: the proximal step and the gradient's differ by the square of the rate."""
    own = session()
    kept = Consolidation(own, 3.0)
    kept.learnt(*samples(8))
    anchor = {n: torch.from_numpy(a.astype(np.float64)) for n, a in own.snapshot().items() if n in kept.fisher}
    own.step(*samples(N, 5), lr=0.5)
    w = {n: torch.from_numpy(own.snapshot()[n].astype(np.float64)).requires_grad_() for n in anchor}
    penalty = sum(1.5 * (torch.from_numpy(kept.fisher[n]).double() * (w[n] - a) ** 2).sum() for n, a in anchor.items())
    assert isinstance(penalty, torch.Tensor)
    penalty.backward()
    kept.pull(1e-2 * (1 - MOMENTUM))
    for name, array in own.snapshot().items():
        if name in w:
            slope = w[name].grad
            assert slope is not None
            np.testing.assert_allclose(array, (w[name] - 1e-2 * slope).detach().numpy(), atol=2e-4)


def test_a_state_goes_on_to_the_bit_and_another_is_refused() -> None:
    own = session()
    one, other = Consolidation(own, 9.0), Consolidation(own, 9.0)
    one.learnt(*samples(4))
    other.load_state_dict(one.state_dict())
    own.step(*samples(N, 3))
    away = own.snapshot()
    one.pull(0.1)
    first = own.snapshot()
    own.restore(away, own.steps)
    other.pull(0.1)
    assert all(first[n].tobytes() == a.tobytes() for n, a in own.snapshot().items())
    with pytest.raises(InvalidInput, match="consolidation state"):
        other.load_state_dict({})


def test_what_cannot_be_consolidated_is_one_line() -> None:
    own = session()
    for strength, decay, said in ((-1.0, 1.0, "strength"), (float("nan"), 1.0, "strength"), (1.0, 1.5, "decay")):
        with pytest.raises(InvalidInput, match=said):
            Consolidation(own, strength, decay)
    with pytest.raises(InvalidInput, match="0 samples"):
        Consolidation(own, 1.0).learnt(*samples(0))
    with pytest.raises(NotSupported, match="with clip_value"):
        Consolidation(session(clip_value=0.1), 1.0)
    adam = sv.compile(sv.plan(net(), torch.zeros(N, 6), optimizer=sv.Adam(0.01)))
    with pytest.raises(NotSupported, match="with Adam"):
        Consolidation(adam, 1.0)


OWN = session()
START = OWN.snapshot()
