"""What a network costs, against PyTorch's own count; and that a target is met, closely, in whole vectors."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

import selvedge as sv
from selvedge import zoo
from selvedge.compressing.prune.cost import named, totals

from .nets import ALL, images, made


def flops(net: nn.Module, x: torch.Tensor) -> int:
    """Two a multiplication, for one sample, by PyTorch's counter."""
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        net(x)
    return counter.get_total_flops() // len(x)


@pytest.mark.parametrize("name", ALL)
def test_costs_are_pytorchs(name: str) -> None:
    net, x = made(name), images(3)
    for model in (net, sv.prune(net, x, {"macs": 0.8}, multiple=1).model.eval()):
        found = named(totals(model, (x,)))
        assert 2 * found["macs"] == flops(model, x)
        assert found["parameters"] == sum(p.numel() for p in model.parameters())
        assert found["bytes"] == sum(t.numel() * t.element_size() for t in model.state_dict().values())


def test_macs_of_ds_cnn_by_hand() -> None:
    """MLPerf Tiny's: 25 x 5 positions, 40 values a first kernel, four blocks of 9 and 64, and the classifier."""
    net, x, _ = zoo.make("ds_cnn")
    assert named(totals(net, (x,)))["macs"] == 125 * (64 * 40 + 4 * 64 * (9 + 64)) + 64 * 12


def test_a_recurrent_layer_counts_with_its_steps() -> None:
    net, x, _ = zoo.make("keyword_gru")
    assert named(totals(net, (x,)))["macs"] == 25 * 3 * 154 * (10 + 154) + 154 * 12


@pytest.mark.parametrize("resource", ["macs", "parameters", "bytes", "channels"])
@pytest.mark.parametrize("rank", ["global", "layer"])
def test_a_target_is_met_and_hardly_more(resource: str, rank: str) -> None:
    net, x, _ = zoo.make("ds_cnn")
    small = sv.prune(net, x, {resource: 0.5}, rank=rank, multiple=4)
    assert 0.44 < small.share[resource] <= 0.5
    assert small.after == named(totals(small.model, (x,)))
    assert small.share[resource] == small.after[resource] / small.before[resource]
    outputs = [w.outputs for n, w in small.widths.layers.items() if n != "fc"]
    assert all(o % 4 == 0 and o >= 4 for o in outputs)
    if rank == "layer":
        assert len(set(outputs)) == 1


def test_several_targets_hold_together() -> None:
    net, x, _ = zoo.make("resnet8")
    small = sv.prune(net, x, {"macs": 0.7, "bytes": 0.4})
    assert small.share["macs"] <= 0.7
    assert small.share["bytes"] <= 0.4


def test_no_layer_is_narrower_than_asked_and_some_are_kept() -> None:
    net, x, _ = zoo.make("mobilenet_v1_025?resolution=32")
    small = sv.prune(net, x, {"macs": 0.6}, multiple=4, least=12, keep=["stem.*", "blocks.3.3"])
    whole = sv.Widths.of(net)
    for name, width in small.widths.layers.items():
        assert width.outputs == whole.layers[name].outputs or (width.outputs >= 12 and width.outputs % 4 == 0)
    assert small.widths.layers["stem.0"].outputs == 8
    assert small.widths.layers["blocks.3.3"].outputs == whole.layers["blocks.3.3"].outputs
    assert small.held["stem.0"] == "is kept"


def test_channels_of_least_magnitude_go() -> None:
    """One layer that can be cut: which of its channels go, and how many, is plain."""
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 3))
    small = sv.prune(net, torch.randn(2, 4), {"macs": 0.5}, criterion="l1", multiple=1)
    worth = net[0].weight.abs().sum(1) + net[2].weight.abs().sum(0)
    assert small.kept["0"].outputs == tuple(sorted(worth.argsort()[8:].tolist()))
    assert torch.equal(small.model[0].weight, net[0].weight[list(small.kept["0"].outputs)])


def test_a_criterion_that_adds_up_weighs_what_is_saved() -> None:
    """Two layers whose channels are worth the same: the one that saves more multiplications is cut."""
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Conv2d(3, 16, 3, padding=1), nn.ReLU(), nn.AvgPool2d(4), nn.Conv2d(16, 16, 3, padding=1), nn.ReLU(),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 4),
    )  # fmt: skip
    x, y = images(32, side=16), torch.arange(32) % 4
    same = copy.deepcopy(net)
    small = sv.prune(net, x[:1], {"macs": 0.8}, criterion="taylor", data=(x, y), multiple=4)
    assert small.widths.layers["0"].outputs < 16
    assert torch.equal(same[0].weight, net[0].weight)
