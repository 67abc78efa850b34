"""Equalisation keeps the function, makes neighbours spread alike, and rescues what one scale a weight ruins."""

from __future__ import annotations

import os

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

import selvedge as sv
from selvedge.compressing.equalise import equalised, pairs
from selvedge.compressing.fold import folded
from selvedge.compressing.worst import sqnr

from .nets import chain, images

COUNT = int(os.environ.get("SELVEDGE_EXAMPLES", "5"))


@settings(max_examples=COUNT, deadline=None)
@given(
    seed=st.integers(0, 2**16),
    act=st.sampled_from([nn.ReLU, nn.ReLU6, nn.Identity]),
    spread=st.floats(1.0, 6.0),
    bias=st.booleans(),
    multiplier=st.sampled_from([1, 2]),
)
def test_the_function_is_kept(seed: int, act: type[nn.Module], spread: float, bias: bool, multiplier: int) -> None:
    torch.manual_seed(seed)
    net = nn.Sequential(
        nn.Conv2d(2, 4, 3, bias=bias), nn.BatchNorm2d(4), act(),
        nn.Conv2d(4, 4 * multiplier, 3, padding=1, groups=4, bias=bias), act(),
        nn.Conv2d(4 * multiplier, 5, 1), act(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(5, 3),
    )  # fmt: skip
    with torch.no_grad():
        for part in net:
            if isinstance(part, nn.Conv2d):
                part.weight.mul_(torch.exp(spread * torch.rand(len(part.weight), 1, 1, 1) - spread / 2))
        net(images(32, 2))
        data = [(images(32, 2, seed=1),)]
        wanted = net.eval()(*data[0])
        found = equalised(net, data)(*data[0])
    assert float((found - wanted).abs().max()) <= 1e-5 * max(1.0, float(wanted.abs().max()))


def test_channels_end_up_alike() -> None:
    data = [(images(32),)]
    plain, made = folded(chain(), data[0]), equalised(chain(), data)
    assert [(p.first, p.second) for p in pairs(plain, data[0])] == [("conv", "dw"), ("dw", "pw"), ("pw", "fc")]
    for first, second in (("conv", "dw"), ("dw", "pw")):
        after = made.get_submodule(first).weight.detach().flatten(1).abs().amax(1)
        w = made.get_submodule(second).weight.detach()
        other = w.flatten(1).abs().amax(1) if second == "dw" else w.abs().amax((0, 2, 3))
        torch.testing.assert_close(after, other, rtol=0.02, atol=0)


def test_a_relu6_is_left_and_its_cut_channels_alone() -> None:
    net = chain(nn.ReLU6)
    with torch.no_grad():
        net.bn1.weight[2] = 20.0  # is cut off at 6
    data = [(images(64),)]
    plain, made = folded(net, data[0]), equalised(net, data)
    assert isinstance(made.act1, nn.ReLU6)
    torch.testing.assert_close(made.conv.weight[2], plain.conv.weight[2])
    assert not torch.equal(made.conv.weight[0], plain.conv.weight[0])
    torch.testing.assert_close(made(images()), net(images()), rtol=1e-5, atol=1e-5)


def test_what_two_readers_share_is_not_scaled() -> None:
    class Fork(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b, self.c = nn.Conv2d(1, 2, 1), nn.Conv2d(2, 2, 1), nn.Conv2d(2, 2, 1)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            x = torch.relu(self.a(x))
            return self.b(x) + self.c(x)

    assert pairs(Fork().eval(), (images(2),)) == []


def test_depthwise_that_one_scale_ruins_is_rescued() -> None:
    """Channels of a depthwise layer that differ 300-fold, undone by the next layer: nothing is left in 8 bits."""
    net = chain()
    factor = torch.tensor([300.0, 1.0, 0.3, 30.0])
    with torch.no_grad():
        net.dw.weight.mul_(factor.reshape(-1, 1, 1, 1))
        net.bn2.running_mean.mul_(factor)
        net.bn2.running_var.mul_(factor**2)
        net.dw.bias.mul_(factor)
        net.bn2.weight.mul_(factor)
        net.bn2.bias.mul_(factor)
        net.pw.weight.div_(factor.reshape(1, -1, 1, 1))
    right = net(images())
    plain = sv.quantise(net, images(), per_tensor=True, wanted_agreement=0.0)
    saved = sv.quantise(net, images(), per_tensor=True, equalise=True, wanted_agreement=0.0)
    assert sqnr(right, saved(images())) > sqnr(right, plain(images())) + 10


@pytest.mark.parametrize("act", [nn.ReLU, nn.ReLU6])
def test_folding_keeps_the_function(act: type[nn.Module]) -> None:
    net = chain(act)
    made = folded(net, (images(2),))
    assert isinstance(made.bn1, nn.Identity)
    assert made.conv.bias is not None
    torch.testing.assert_close(made(images()), net(images()), rtol=1e-5, atol=1e-5)
