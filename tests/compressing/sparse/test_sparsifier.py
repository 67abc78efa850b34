"""Zeros where the pattern says, that hold whatever an optimiser does; and one line for what cannot be."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

import selvedge as sv
from selvedge.compressing.sparse.pattern import Pattern, largest_of, smallest


def net() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(4, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(), nn.Conv2d(16, 16, 3, groups=16, padding=1),
        nn.Conv2d(16, 32, 1), nn.ReLU(), nn.Flatten(), nn.Linear(32 * 36, 4),
    )  # fmt: skip


def data() -> tuple[torch.Tensor, torch.Tensor]:
    torch.manual_seed(1)
    x = torch.randn(96, 4, 6, 6)
    return x, (x[:, 0].mean((1, 2)) > 0).long() + 2 * (x[:, 1].mean((1, 2)) > 0).long()


def zeros(model: nn.Module) -> dict[str, torch.Tensor]:
    return {n: p.detach() == 0 for n, p in model.named_parameters() if p.dim() > 1}


@pytest.mark.parametrize("criterion", ["magnitude", "taylor", "hessian", "random"])
@pytest.mark.parametrize("rank", ["layer", "global"])
def test_the_share_is_kept_and_nothing_else_changes(criterion: str, rank: str) -> None:
    model = net()
    before = copy.deepcopy(model.state_dict())
    made = sv.sparsify(model, 0.8, criterion=criterion, rank=rank, data=data())
    after = made.model.state_dict()
    assert made.sparsity == pytest.approx(0.8, abs=1e-3)
    assert list(after) == list(before)
    assert made.held == {"3": "has 16 groups"}
    for name, value in before.items():
        assert torch.equal(model.state_dict()[name], value)
        stays = after[name] != 0 if value.dim() > 1 else torch.ones_like(value, dtype=torch.bool)
        assert torch.equal(after[name][stays], value[stays])
    if rank == "layer":
        assert all(z == round(0.8 * n) for z, n in made.zeros.values())
    assert not any(m._forward_pre_hooks for m in made.model.modules())


def test_magnitude_takes_the_smallest_of_each_layer() -> None:
    model = net()
    made = sv.sparsify(model, 0.6)
    for name in made.zeros:
        was, now = model.get_submodule(name).weight, made.model.get_submodule(name).weight
        assert was[now == 0].abs().max() <= was[now != 0].abs().min()


@given(st.tuples(st.integers(1, 5), st.integers(1, 6), st.integers(1, 3)), st.integers(1, 4), st.integers(0, 1 << 16))
@settings(max_examples=60, deadline=None)
def test_of_every_m_inputs_the_n_largest_stay(shape: tuple[int, int, int], n: int, seed: int) -> None:
    outs, runs, size = shape
    m = 4
    scores = torch.rand((outs, runs * m, size, size), generator=torch.Generator().manual_seed(seed))
    mask = largest_of(scores, n, m)
    parts = mask.movedim(1, -1).reshape(-1, m)
    assert bool((parts.sum(1) == n).all())
    each = scores.movedim(1, -1).reshape(-1, m)
    worst_kept = each.masked_fill(~parts, 2).min(1)[0]
    best_gone = each.masked_fill(parts, -1).max(1)[0]
    assert bool((worst_kept >= best_gone).all())
    assert int((~smallest(scores, 3)).sum()) == min(3, scores.numel())


def test_n_of_m_parts_the_inputs_of_a_tap_and_holds_what_does_not_part() -> None:
    model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.Conv2d(8, 8, 3), nn.Flatten(), nn.Linear(32, 6))
    made = sv.sparsify(model, pattern="2:4")
    assert made.held == {"0": "has 3 inputs, which do not part into runs of 4"}
    w = made.model[1].weight
    assert bool(((w != 0).reshape(8, 2, 4, 3, 3).sum(2) == 2).all())
    assert made.sparsity == 0.5


@pytest.mark.parametrize("kind", ["adamw", "momentum"])
def test_zeros_hold_while_it_trains_and_grow(kind: str) -> None:
    x, y = data()
    model = net()
    sparsifier = sv.Sparsifier(model, 0.9, steps=3)
    parameters = sparsifier.model.parameters()
    optimizer: Any = (
        torch.optim.AdamW(parameters, 1e-2, weight_decay=0.1)
        if kind == "adamw"
        else torch.optim.SGD(parameters, 0.05, momentum=0.9)
    )
    before: dict[str, torch.Tensor] = {}
    shares, losses = [], []
    for step in sparsifier:
        now = zeros(sparsifier.model)
        assert all(bool(now[n][gone].all()) for n, gone in before.items())
        before = now
        for _ in range(15):
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(sparsifier.model(x), y)
            loss.backward()
            weight = sparsifier.model[4].weight
            assert not bool(weight.grad[~sparsifier.masks["4"]].any())
            optimizer.step()
            losses.append(loss.item())
        shares.append(step.sparsity)
    made = sparsifier.finish()
    assert all(bool(zeros(made.model)[n][gone].all()) for n, gone in before.items())
    assert shares == sorted(shares)
    assert made.sparsity == pytest.approx(0.9, abs=1e-3)
    assert losses[14] < losses[0]
    assert not any(m._forward_pre_hooks for m in made.model.modules())
    assert set(made.model.state_dict()) == set(model.state_dict())


def test_the_loop_runs_all_steps() -> None:
    seen: list[float] = []
    made = sv.Sparsifier(net(), pattern="1:4", steps=2).run(lambda m: seen.append(1.0), epochs=2)
    assert (len(seen), made.step, made.sparsity) == (4, 2, 0.75)


def test_a_shared_weight_is_cut_once() -> None:
    class Tied(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b = nn.Linear(8, 8), nn.Linear(8, 8)
            self.b.weight = self.a.weight

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.b(self.a(x))

    made = sv.sparsify(Tied(), 0.5)
    assert made.held == {"b": "has the weight of a"}
    assert made.model.b.weight is made.model.a.weight


class Shared(nn.Module):
    """``o`` and ``e`` have one weight; ``b`` and ``a`` too, and ``b`` computes first."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.e, self.a, self.b, self.o = nn.Embedding(12, 8), nn.Linear(8, 8), nn.Linear(8, 8), nn.Linear(8, 12)
        self.o.weight, self.b.weight = self.e.weight, self.a.weight

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        given: torch.Tensor = self.o(self.a(self.b(self.e(x))))
        return given


def test_a_weight_that_one_of_its_layers_holds_gets_no_zeros_by_another() -> None:
    made = sv.sparsify(Shared(), 0.5)
    assert list(made.zeros) == ["a"]
    assert made.held["o"] == "has the weight of e"
    assert not bool((made.model.e.weight == 0).any())
    with pytest.raises(sv.NotSupported, match="b is kept; a has the weight of b"):
        sv.sparsify(Shared(), 0.5, keep=["b"])


def test_whichever_layer_computes_first_has_the_zeros() -> None:
    sparsifier = sv.Sparsifier(Shared(), 0.5)
    sparsifier.step()
    with torch.no_grad():
        sparsifier.model.a.weight.add_(1.0)  # as an optimiser's momentum would
    seen: list[float] = []
    sparsifier.model.b.register_forward_hook(lambda layer, x, y: seen.append(float((layer.weight == 0).float().mean())))
    sparsifier.model(torch.arange(3))
    assert seen == [0.5]


@pytest.mark.parametrize("criterion", ["random", "taylor"])
def test_another_sparsifier_goes_on_from_a_state(criterion: str) -> None:
    def of() -> sv.Sparsifier:
        return sv.Sparsifier(net(), 0.8, steps=4, criterion=criterion, data=data())

    whole, first = of(), of()
    for _ in range(2):
        whole.step()
        first.step()
    state = first.state_dict()
    first.step()  # the state is a copy
    second = of()
    second.load_state_dict(state)
    for step, same in zip(whole, second, strict=True):
        assert step.zeros == same.zeros
    want, got = whole.finish().model.state_dict(), second.finish().model.state_dict()
    assert all(torch.equal(want[n], got[n]) for n in want)
    for other in (sv.Sparsifier(net(), 0.8, steps=4, keep=["0"]), sv.Sparsifier(net(), 0.8)):
        with pytest.raises(sv.InvalidInput, match="of another model or other settings"):
            other.load_state_dict(state)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"sparsity": 1.2}, "sparsity is 1.2: give the share of zeros, above 0 and below 1: 0.9 for 90 %"),
        ({}, "sparsity is None: give the share"),
        ({"sparsity": 0.9, "pattern": "2:4"}, "sparsity is 0.9: 2:4 has 0.5: give that, leave it out"),
        ({"pattern": "4:2"}, 'pattern is 4:2: give "unstructured", or N:M'),
        ({"pattern": "2:4", "rank": "global"}, "rank is global: 2:4 takes the same share of every layer"),
        ({"sparsity": 0.99999}, "sparsity is 0.99999: of 0 none of 576 weights stays: give 0.9982 or less, or keep it"),
        ({"sparsity": 0.5, "keep": ["*"]}, "making this model sparse is not supported: 0 is kept"),
        ({"sparsity": 0.5, "layers": ["head"]}, "layers is head: the model has no layer of that name"),
        ({"sparsity": 0.5, "criterion": "taylor"}, "data is not given: criterion taylor looks at gradients"),
        ({"sparsity": 0.5, "criterion": "size"}, "criterion is size: give one of magnitude, taylor, hessian, random"),
        ({"pattern": "2:7"}, "making this model sparse is not supported: 0 has 4 inputs, which do not part into runs"),
    ],
)
def test_what_cannot_be_is_one_line(given: dict[str, Any], said: str) -> None:
    with pytest.raises(sv.SelvedgeError) as caught:
        sv.sparsify(net(), **given)
    assert str(caught.value).startswith(said), str(caught.value)


def test_a_pattern_says_its_share() -> None:
    assert Pattern.parse("1:4").sparsity == 0.75
    assert str(Pattern.parse("unstructured")) == "unstructured"
