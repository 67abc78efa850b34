"""Steps with training between: what is left follows the schedule, optimisers go along, and digits are still told."""

from __future__ import annotations

import copy

import pytest
import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.nn import functional

import selvedge as sv

from .nets import images, made


def digits() -> tuple[torch.Tensor, torch.Tensor]:
    data = load_digits()
    return torch.tensor(data.images[:, None] / 16).float(), torch.tensor(data.target)


def net() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(), nn.Conv2d(16, 32, 3, 2), nn.BatchNorm2d(32),
        nn.ReLU(), nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(128, 10),
    )  # fmt: skip


def epoch(model: nn.Module, optimizer: torch.optim.Optimizer, x: torch.Tensor, y: torch.Tensor) -> None:
    model.train()
    for rows in torch.randperm(len(y), generator=torch.Generator().manual_seed(1)).split(64):
        optimizer.zero_grad()
        functional.cross_entropy(model(x[rows]), y[rows]).backward()
        optimizer.step()


def right(model: nn.Module, x: torch.Tensor, y: torch.Tensor) -> float:
    with torch.no_grad():
        return float((model.eval()(x).argmax(1) == y).float().mean())


@pytest.mark.parametrize(
    ("schedule", "shares"),
    [("linear", [0.88, 0.76, 0.64, 0.52, 0.4]), ("cubic", [0.7072, 0.5296, 0.4384, 0.4048, 0.4])],
)
def test_what_is_left_follows_the_schedule(schedule: str, shares: list[float]) -> None:
    pruner = sv.Pruner(net(), torch.zeros(1, 1, 8, 8), {"macs": 0.4}, steps=5, schedule=schedule, multiple=1)
    before = None
    for step, wanted in zip(pruner, shares, strict=True):
        assert wanted - 0.03 < step.share["macs"] <= wanted + 1e-9
        assert before is None or before == step.before
        before = step.after
        assert step.model is pruner.model
        assert step.widths == pruner.widths == sv.Widths.of(pruner.model)
    assert pruner.share == step.share
    with pytest.raises(sv.InvalidInput, match="steps is 5: all are done"):
        pruner.step()


def test_five_steps_with_training_keep_most_answers_and_one_without_does_not() -> None:
    x, y = digits()
    model = net()

    def epoch_of(m: nn.Module) -> None:
        epoch(m, torch.optim.Adam(m.parameters(), 3e-3), x[:1200], y[:1200])

    for _ in range(6):
        epoch_of(model)
    told: list[tuple[int, int, str]] = []
    pruner = sv.Pruner(
        model, x[:1], {"macs": 0.4}, steps=3, criterion="taylor", data=(x[:256], y[:256]), multiple=4,
        on_progress=lambda *now: told.append(now),
    )  # fmt: skip
    small = pruner.run(epoch_of, epochs=2)
    at_once = sv.prune(model, x[:1], {"macs": 0.4}, criterion="taylor", data=(x[:256], y[:256]), multiple=4)
    assert not small.training
    assert pruner.share["macs"] <= 0.4
    assert right(small, x[1200:], y[1200:]) > right(model, x[1200:], y[1200:]) - 0.06
    assert right(at_once.model, x[1200:], y[1200:]) < right(small, x[1200:], y[1200:])
    assert [t for t in told if t[2] == "epoch"] == [(i, 6, "epoch") for i in range(7)]
    assert (0, 8, "taylor") in told
    fresh = pruner.widths.apply(net())
    fresh.load_state_dict(small.state_dict())
    assert torch.equal(fresh.eval()(x), small(x))


@pytest.mark.parametrize("kind", ["sgd", "adam"])
def test_an_optimiser_goes_along(kind: str) -> None:
    """Its state is cut as the parameters are: a step of the cut model is that of the whole one with dead channels."""
    x, y = images(16, seed=2), torch.arange(16) % 5
    model = made("residual")
    pruner = sv.Pruner(model, x[:1], {"macs": 0.6}, multiple=2)
    own = pruner.model
    make = {"sgd": lambda p: torch.optim.SGD(p, 0.1, momentum=0.9), "adam": lambda p: torch.optim.Adam(p, 1e-2)}[kind]
    optimizer = make(own.parameters())
    for _ in range(2):
        epoch(own, optimizer, x, y)
    key = {"sgd": "momentum_buffer", "adam": "exp_avg_sq"}[kind]
    before = {n: optimizer.state[p][key].clone() for n, p in own.named_parameters()}
    step = pruner.step()
    stale = copy.deepcopy(optimizer.state_dict())
    assert step.carry(optimizer) is optimizer
    for name, parameter in own.named_parameters():
        layer, _, part = name.rpartition(".")
        wanted = before[name]
        if layer in step.kept:
            wanted = wanted[list(step.kept[layer].outputs)]
            if part == "weight" and parameter.dim() > 1:
                wanted = wanted[:, list(step.kept[layer].inputs)]
        assert torch.equal(optimizer.state[parameter][key], wanted)
    epoch(own, optimizer, x, y)
    assert all(bool(torch.isfinite(p).all()) for p in own.parameters())
    forgotten = make(own.parameters())
    forgotten.load_state_dict(stale)
    with pytest.raises(RuntimeError, match="size"):
        epoch(own, forgotten, x, y)


def test_training_that_diverged_between_two_cuts_is_said() -> None:
    pruner = sv.Pruner(made("residual"), images(1), {"macs": 0.6}, steps=2, multiple=1)
    pruner.step()
    pruner.model.a.weight.data[0] = torch.nan
    line = r"model is not finite \(a.weight\): its training has diverged"
    with pytest.raises(sv.InvalidInput, match=line):
        pruner.step()
    assert pruner.done == 1


def test_the_users_model_and_random_state_stay() -> None:
    model, x = made("residual"), images(8)
    before, state = copy.deepcopy(model.state_dict()), torch.get_rng_state()
    model.train()
    sv.prune(model, x[:1], {"macs": 0.6}, criterion="taylor", data=(x, torch.arange(8) % 5), multiple=1)
    assert torch.equal(torch.get_rng_state(), state)
    assert model.training
    assert all(torch.equal(v, before[k]) for k, v in model.state_dict().items())
    assert all(p.grad is None for p in model.parameters())


def test_a_loss_of_ones_own_is_what_gradients_are_of() -> None:
    """A teacher's answers, as distilling has them: the cut with them is another than the one with labels."""
    model, teacher = made("squeezed"), made("squeezed", seed=7)
    x, y = images(64, seed=3), torch.arange(64) % 5

    def loss(m: nn.Module, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        soft = torch.softmax(teacher(a) / 4, 1)
        return functional.kl_div(torch.log_softmax(m(a) / 4, 1), soft, reduction="batchmean")

    settings = {"criterion": "taylor", "data": (x, y), "multiple": 1}
    one = sv.prune(model, x[:1], {"macs": 0.5}, **settings)
    other = sv.prune(model, x[:1], {"macs": 0.5}, loss=loss, **settings)
    assert one.kept != other.kept
