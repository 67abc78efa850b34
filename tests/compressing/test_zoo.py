"""The networks of MLPerf Tiny: everything in them quantises, at 0.27 of float's bytes at most."""

from __future__ import annotations

import pytest
import torch

import selvedge as sv
from selvedge import zoo
from selvedge.compressing.worst import sqnr


@pytest.mark.parametrize("name", ["ds_cnn", "resnet8", "deep_autoencoder"])
def test_a_file_is_a_quarter_of_float(name: str) -> None:
    net, example, _ = zoo.make(name)
    net.train()(torch.randn(32, *example.shape[1:], generator=torch.Generator().manual_seed(0)))
    x = torch.randn(32, *example.shape[1:], generator=torch.Generator().manual_seed(1))
    made = sv.quantise(net.eval(), x, wanted_agreement=0.0)
    stored = sum(t.numel() * t.element_size() for t in made.state_dict().values())
    assert made.facts.bytes == stored <= 0.27 * made.facts.float_bytes
    assert made.facts.float_bytes == sum(4 * t.numel() for t in net.state_dict().values() if t.is_floating_point())
    assert sqnr(net(x), made(x)) > 20
