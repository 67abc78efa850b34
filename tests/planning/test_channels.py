"""The backward by channels: the same gradients, in fewer bytes."""

from __future__ import annotations

import os
from dataclasses import replace
from functools import cache

import hypothesis.strategies as st
import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from torch import nn

import selvedge as sv
from selvedge import ir, zoo
from selvedge.capture import capture, programs, select
from selvedge.capture.loss import CrossEntropy
from selvedge.planning.channels import UNIT, by_channels, cuts, ranges, regions
from selvedge.planning.check import check
from tests import oracle

EXAMPLES = int(os.environ.get("SELVEDGE_EXAMPLES", "20"))
PLAIN = sv.Trade(stream=False, recompute=False, masks=False)
LEAST = sv.Trade(least=True, slowdown=1.35)
NARROW = "mobilenet_v2?width=0.35&resolution=32"


ACTIVATIONS = {"relu": nn.ReLU, "relu6": nn.ReLU6, "hardswish": nn.Hardswish, "silu": nn.SiLU, "tanh": nn.Tanh}


class Block(nn.Module):
    """An inverted block: expanded, filtered channel by channel, perhaps squeezed and excited, projected."""

    def __init__(
        self, narrow: int, wide: int, out: int, kernel: int, stride: int, activation: str, norm: bool, excite: bool,
    ) -> None:  # fmt: skip
        super().__init__()

        def normed(channels: int) -> list[nn.Module]:
            return [nn.BatchNorm2d(channels)] if norm else []

        act = ACTIVATIONS[activation]
        self.wide = nn.Sequential(
            nn.Conv2d(narrow, wide, 1, bias=not norm), *normed(wide), act(),
            nn.Conv2d(wide, wide, kernel, stride, kernel // 2, groups=wide, bias=not norm), *normed(wide), act(),
        )  # fmt: skip
        self.squeeze = nn.Sequential(
            nn.AdaptiveAvgPool2d(1), nn.Conv2d(wide, 8, 1), nn.ReLU(), nn.Conv2d(8, wide, 1), nn.Hardsigmoid()
        ) if excite else None  # fmt: skip
        self.project = nn.Sequential(nn.Conv2d(wide, out, 1, bias=not norm), *normed(out))
        self.residual = stride == 1 and narrow == out

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        wide = self.wide(x)
        wide = wide if self.squeeze is None else wide * self.squeeze(wide)
        found: torch.Tensor = self.project(wide)
        return x + found if self.residual else found


def network(*blocks: nn.Module, out: int) -> nn.Module:
    torch.manual_seed(0)
    stem = [nn.Conv2d(3, 8, 3, stride=2, padding=1), nn.ReLU()]
    model = nn.Sequential(*stem, *blocks, nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(4 * out, 4))
    for m in model.modules():
        if isinstance(m, nn.BatchNorm2d):
            nn.init.uniform_(m.running_mean, -0.3, 0.3)
            nn.init.uniform_(m.running_var, 0.5, 1.5)
    return model.eval()


def excited() -> nn.Module:
    return network(Block(8, 48, 8, 3, 1, "hardswish", True, True), Block(8, 40, 16, 5, 2, "relu6", True, True), out=16)


@st.composite
def networks(draw: st.DrawFn) -> nn.Module:
    narrow, blocks = 8, []
    for _ in range(draw(st.integers(1, 3))):
        out = draw(st.sampled_from([8, 12, narrow]))
        wide = draw(st.integers(16, 72))
        activation, kernel = draw(st.sampled_from(sorted(ACTIVATIONS))), draw(st.sampled_from([3, 5]))
        norm, excite, stride = draw(st.booleans()), draw(st.booleans()), draw(st.integers(1, 2))
        blocks.append(Block(narrow, wide, out, kernel, stride, activation, norm, excite))
        narrow = out
    return network(*blocks, out=narrow)


def step(
    model: nn.Module, x: torch.Tensor, update: str = "full", norms: str = "frozen", seed: int = 0
) -> tuple[ir.Graph, dict[str, np.ndarray], dict[str, np.ndarray]]:
    """The graph of a step, its inputs and its state."""
    captured = capture(model, (x,), norms=norms)
    made = programs(captured, CrossEntropy(), sv.SGD(lr=0.1, momentum=0.9), select(captured, update))
    rng = np.random.default_rng(seed)
    image = rng.standard_normal(tuple(x.shape)).astype(np.float32)
    classes = made.step.results["output"].shape[-1]
    inputs = {
        "x": made.layouts["x"].store(image),
        "y": rng.integers(0, classes, x.shape[0]).astype(np.int32),
        "lr": np.asarray(0.1, np.float32),
    }
    return made.step, inputs, {**captured.stored(), **made.optimizer_state}


def assert_the_same(
    graph: ir.Graph, other: ir.Graph, inputs: dict[str, np.ndarray], state: dict[str, np.ndarray]
) -> None:
    ir.verify(other)
    assert {n: v.spec for n, v in other.outputs.items()} == {n: v.spec for n, v in graph.outputs.items()}
    wanted, found = (ir.interpret(g, inputs, {n: state[n] for n in g.state}) for g in (graph, other))
    for name, value in wanted.items():
        assert found[name].dtype == value.dtype
        np.testing.assert_allclose(found[name], value, rtol=1e-5, atol=2e-6, err_msg=name)
    assert found["loss"].tobytes() == wanted["loss"].tobytes()  # the forward pass is as it was


@given(st.integers(1, 400), st.integers(1, 9))
def test_ranges_cover_all_channels_once(channels: int, pieces: int) -> None:
    found = ranges(channels, pieces)
    assert [c for a, b in found for c in range(a, b)] == list(range(channels))
    assert len(found) <= pieces
    assert all(a % UNIT == 0 for a, _ in found)


@pytest.mark.parametrize("norms", ["folded", "frozen"])
@pytest.mark.parametrize("pieces", [2, 3, 4])
def test_an_inverted_bottleneck_network_learns_the_same(norms: str, pieces: int) -> None:
    model, example, _ = zoo.make(NARROW)
    graph, inputs, state = step(model.eval(), example, norms=norms)
    found = regions(graph)
    assert len(found) >= 10
    assert sum(len(r.again) > 0 for r in found) >= 10
    assert_the_same(graph, by_channels(graph, dict.fromkeys(found, pieces)), inputs, state)


@pytest.mark.parametrize("update", ["full", "last:3", "bias", "0.weight,2.wide.0.weight"])
def test_squeeze_and_excitation_learns_the_same(update: str) -> None:
    graph, inputs, state = step(excited(), torch.zeros(2, 3, 16, 16), update)
    found = regions(graph)
    assert found
    for cut in cuts(graph):
        assert cut.regions
        assert_the_same(graph, cut.graph, inputs, state)
    assert_the_same(graph, by_channels(graph, dict.fromkeys(found, 3)), inputs, state)


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(networks(), st.integers(1, 2), st.sampled_from(["full", "bias", "last:3"]), st.integers(2, 5), st.data())
def test_random_networks_learn_the_same(
    model: nn.Module, batch: int, update: str, pieces: int, data: st.DataObject
) -> None:
    graph, inputs, state = step(model, torch.zeros(batch, 3, 16, 16), update)
    found = regions(graph)
    some = [r for r in found if data.draw(st.booleans())] or found
    assert_the_same(graph, by_channels(graph, dict.fromkeys(some, pieces)), inputs, state)


def test_what_has_to_exist_whole_is_left_alone() -> None:
    class Shared(nn.Module):
        """What is made channel by channel is an operand of a product of all of them."""

        def __init__(self) -> None:
            super().__init__()
            self.first, self.last = nn.Conv2d(3, 32, 1), nn.Linear(32, 4)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            y = self.first(x).flatten(2)
            found: torch.Tensor = self.last((y @ y.transpose(1, 2)).mean(2))
            return found

    graph, _, _ = step(Shared().eval(), torch.zeros(1, 3, 8, 8))
    assert regions(graph) == []
    predict = capture(Shared().eval(), (torch.zeros(1, 3, 8, 8),), norms="frozen").graph
    assert regions(predict) == []
    assert list(cuts(predict)) == []


@pytest.mark.parametrize("update", ["full", "bias", "first.weight,last.weight"])
def test_a_residual_around_a_full_convolution_is_left_alone(update: str) -> None:
    class Around(nn.Module):
        """The input gradient of a convolution of as many channels as it has is added to what it is made of."""

        def __init__(self) -> None:
            super().__init__()
            self.first, self.inner, self.narrow = nn.Conv2d(3, 32, 1), nn.Conv2d(32, 32, 1), nn.Conv2d(32, 8, 1)
            self.last = nn.Linear(8, 4)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            y = torch.relu(self.first(x))
            y = torch.relu(y + self.inner(y))
            found: torch.Tensor = self.last(self.narrow(y).mean((2, 3)))
            return found

    torch.manual_seed(0)
    graph, inputs, state = step(Around().eval(), torch.zeros(2, 3, 12, 12), update)
    for cut in cuts(graph):
        assert_the_same(graph, cut.graph, inputs, state)
    assert_the_same(graph, by_channels(graph, dict.fromkeys(regions(graph), 2)), inputs, state)


@cache
def planned(trade: sv.Trade, ram: int | None = None) -> sv.Plan:
    model, example, loss = zoo.make("mobilenet_v2?width=0.35&resolution=64")
    budget = None if ram is None else sv.Budget(ram=ram)
    return sv.plan(model.eval(), example, loss=loss, device=oracle.WIDE, budget=budget, norms="folded", trade=trade)


def test_a_plan_by_channels_needs_a_third_of_the_bytes_and_learns_the_same() -> None:
    plain, least = planned(PLAIN), planned(LEAST)
    saved = least.arrangement.programs["step"].saved
    assert saved is not None
    assert saved.regions >= 4
    assert least.transient_bytes < 0.36 * plain.transient_bytes
    without = planned(replace(LEAST, channels=False))
    assert least.transient_bytes < 0.8 * without.transient_bytes
    assert any(c.what == "channels step" for c in least.why)
    check(least.arrangement)
    found = sv.measured(least)
    assert found.faults == ()
    assert found.arena == least.arena_bytes
    assert found.transient["step"] == least.arrangement.programs["step"].transient_bytes
    x = np.random.default_rng(0).standard_normal((1, 3, 64, 64)).astype(np.float32)
    y = np.array([3], np.int32)
    wanted, made = (oracle.native_gradients(sv.compile(p), x, y) for p in (plain, least))
    for name, value in wanted.items():
        np.testing.assert_allclose(made[name], value, rtol=1e-4, atol=1e-6, err_msg=name)


def test_a_budget_that_only_channels_keep_is_kept() -> None:
    plain, without, least = planned(PLAIN), planned(replace(LEAST, channels=False)), planned(LEAST)
    ram = (without.arena_bytes + least.arena_bytes) // 2
    assert without.arena_bytes > ram
    assert plain.arena_bytes > ram
    made = planned(sv.Trade(slowdown=1.35), ram)
    assert made.arena_bytes <= ram
    saved = made.arrangement.programs["step"].saved
    assert saved is not None
    assert saved.regions
    with pytest.raises(sv.DoesNotFit):
        planned(sv.Trade(slowdown=1.35, channels=False), ram)
