"""The pieces of the search: limits, space, scores, samples, the way up the layers and the rates."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

import selvedge as sv
from selvedge.make.searching.learning import BEGIN, RATES, _climbed
from selvedge.make.searching.material import material
from selvedge.make.searching.score import naswot, ranked, synflow
from selvedge.make.searching.search import _levels
from selvedge.make.searching.space import Space, architectures, family
from selvedge.make.searching.variants import _most, layer_names

BYTES = st.integers(1024, 1 << 24)


@given(run=BYTES, train=BYTES, flash=BYTES, ms=st.integers(1, 10_000), percent=st.integers(1, 100))
def test_limits_are_read_as_they_are_written(run, train, flash, ms, percent):
    text = f"run={run}B,train={train}B,flash={flash}B,latency={ms}ms,energy={ms}uJ,accuracy={percent / 100}"
    read = sv.Limits.parse(text)
    assert (read.run, read.train, read.flash, read.accuracy) == (run, train, flash, percent / 100)
    assert read.latency_s == pytest.approx(ms / 1e3)
    assert read.energy_j == pytest.approx(ms / 1e6)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("ram=64KiB", "budget is ram=64KiB: write run, train, flash"),
        ("run=64KiB,run=32KiB", "give run once"),
        ("accuracy=90", "budget accuracy is 90.0: give a share"),
        ("accuracy=good", "budget accuracy is good: write a share"),
        ("latency=20", "budget latency"),
        ("run=-1KiB", "run"),
        ("", "budget is empty"),
    ],
)
def test_limits_that_are_none_are_one_line(text, says):
    if text == "latency=20":
        assert sv.Limits.parse(text).latency_s == 20
        return
    with pytest.raises(sv.InvalidInput) as told:
        sv.Limits.parse(text)
    assert says in str(told.value)


def test_a_device_gives_what_is_not_said():
    device = sv.Device(name="board", ram="64KiB", reserved_ram="4KiB", flash="256KiB")
    made = sv.Limits.parse("train=32KiB").on(device)
    assert (made.run, made.train, made.flash) == (32 << 10, 32 << 10, 256 << 10)
    assert sv.Limits().on(device).train == 60 << 10


def test_a_cost_that_nobody_knows_breaks_its_limit():
    plan = sv.plan(nn.Linear(4, 2), torch.zeros(1, 4), device=sv.Device(name="bare", ram="64KiB", flash="64KiB"))
    from selvedge.make.searching.figures import Figures

    broken = list(sv.Limits(latency_s=1.0, train=10).broken(Figures.of(plan)))
    assert [name for name, _, _ in broken] == ["train", "latency_s"]
    assert broken[1][1] == math.inf


def test_a_space_is_the_product_of_its_options_and_resolution_is_a_mean_in_front():
    space = sv.Space(lambda width: nn.Sequential(nn.Conv2d(1, width, 1), nn.AdaptiveAvgPool2d(1)),
                     width=(2, 3), resolution=(1, 0.5))  # fmt: skip
    made = list(space.architectures(3))
    assert [a.name for a in made] == ["width 2, resolution 1", "width 2, resolution 0.5", "width 3, resolution 1",
                                      "width 3, resolution 0.5"]  # fmt: skip
    x = torch.randn(1, 1, 4, 4)
    torch.testing.assert_close(made[1].built(7)(x), made[0].built(7)(nn.functional.avg_pool2d(x, 2)))
    before = torch.get_rng_state()
    assert torch.equal(made[0].built(1)[0].weight, made[0].built(1)[0].weight)
    assert not torch.equal(made[0].built(1)[0].weight, made[0].built(2)[0].weight)
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"width": 3}, "option width is 3: give its values"),
        ({"width": ()}, "option width"),
        ({"width": (1, 1)}, "give each value once"),
        ({"resolution": (0.3,)}, "option resolution is 0.3: give 1, 0.5"),
        ({"a": range(20), "b": range(20)}, "options is of 400 combinations"),
    ],
)
def test_a_space_that_is_none_is_one_line(options, says):
    with pytest.raises(sv.InvalidInput) as told:
        Space(nn.Identity, **options)
    assert says in str(told.value)


def test_a_family_of_the_zoo_is_searched_over_what_its_name_leaves_open():
    made = family("zoo:ds_cnn?classes=5")
    assert set(made.options) == {"width", "depth", "resolution"}
    assert set(family("zoo:ds_cnn?classes=5&width=0.5").options) == {"depth", "resolution"}
    net = next(iter(made.architectures(3))).built(0)
    assert net(torch.zeros(2, 1, 49, 10)).shape == (2, 5)
    x = torch.zeros(4, 1, 49, 10)
    both = architectures(["zoo:ds_cnn?classes=5", Space(nn.Linear, in_features=(3,), out_features=(2,))], (x, x), 8)
    assert both[0].name.startswith("ds_cnn?classes=5: width")
    assert both[-1].name == "1: in_features 3, out_features 2"
    with pytest.raises(sv.InvalidInput, match="model is 3"):
        architectures([3], (x, x), 8)


def test_synflow_of_linear_layers_is_the_sum_over_all_paths_of_magnitudes():
    """Each parameter's theta dR/dtheta is R itself summed over a layer, so that the total is layers x R."""
    net = nn.Sequential(nn.Linear(3, 4, bias=False), nn.Linear(4, 2, bias=False))
    paths = (net[1].weight.abs().double() @ net[0].weight.abs().double()).sum().detach()
    assert synflow(net, torch.randn(5, 3)) == pytest.approx(math.log(2 * float(paths)))
    with torch.no_grad():
        net[0].weight.zero_()
    assert synflow(net, torch.randn(5, 3)) == -math.inf


def test_naswot_is_the_log_determinant_of_what_patterns_share():
    torch.manual_seed(1)
    net, x = nn.Sequential(nn.Linear(3, 40), nn.ReLU(), nn.Linear(40, 30), nn.ReLU6()), torch.randn(6, 3)
    codes = torch.cat([(net[0](x) > 0), (net[2](net[1](net[0](x))) > 0)], 1).int().numpy()
    shared = np.array([[(a == b).sum() for b in codes] for a in codes], np.float64)
    assert naswot(net, x) == pytest.approx(np.linalg.slogdet(shared)[1])
    assert naswot(nn.Linear(3, 2), x) == -math.inf


@given(st.lists(st.integers(0, 5), min_size=1, max_size=8))
def test_ranks_are_means_over_equals(values):
    made = ranked([values])
    assert sum(made) == pytest.approx(len(values) * (len(values) - 1) / 2)
    for a, v in zip(made, values, strict=True):
        for b, w in zip(made, values, strict=True):
            assert (a < b) == (v < w)


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=10))
def test_fronts_are_beaten_by_the_ones_before_only(points):
    made = _levels([(float(a), float(b)) for a, b in points])
    for p, level in zip(points, made, strict=True):
        over = [m for q, m in zip(points, made, strict=True) if q != p and q[0] >= p[0] and q[1] >= p[1]]
        assert level == max((m + 1 for m in over), default=0)


@given(most=st.integers(1, 60), last=st.integers(0, 60))
def test_the_most_layers_that_keep_a_budget_are_found(most, last):
    asked = []

    def keeps(k):
        asked.append(k)
        return k <= last

    assert _most(most, keeps) == min(last, most)
    assert len(asked) <= 8


@given(st.permutations(range(len(RATES))))
def test_a_rate_is_found_whose_neighbours_are_no_better(values):
    top = _climbed(lambda i: float(values[i]))
    assert all(values[top] >= values[i] for i in (top - 1, top + 1) if 0 <= i < len(RATES))
    assert values[top] >= values[BEGIN]


@given(seed=st.integers(0, 50), people=st.integers(2, 8))
def test_nobody_who_judges_trains_and_halves_keep_their_order(seed, people):
    rng = np.random.default_rng(seed)
    n = 40 * people
    x = np.arange(n, dtype=np.float32)[:, None].repeat(2, 1)
    y, who = np.arange(n) % 2, np.sort(rng.integers(0, people, n))
    who[:people] = np.arange(people)
    made = material((x, y), who, None, seed)
    own = {p.name: set(p.learn[0][:, 0].int().tolist()) | set(p.test[0][:, 0].int().tolist()) for p in made.people}
    trained = set(made.train[0][:, 0].int().tolist())
    for name, rows in own.items():
        assert rows == set(np.flatnonzero(who == int(name)).tolist())
        assert not rows & trained
    for p in made.people:
        for c in (0, 1):
            learn, test = (half[0][half[1] == c][:, 0] for half in (p.learn, p.test))
            assert not len(learn) or not len(test) or learn.max() < test.min()
    assert len(trained) + sum(map(len, own.values())) == n


def test_layers_are_named_in_the_order_that_they_run():
    class Backwards(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.last, self.first = nn.Linear(4, 2), nn.Linear(3, 4)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.last(torch.relu(self.first(x)))

    assert layer_names(Backwards(), torch.zeros(1, 3)) == ["first", "last"]
