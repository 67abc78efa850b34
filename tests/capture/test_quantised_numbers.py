"""Quantised numbers of PT2E, as PyTorch computes them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from selvedge.capture import capture
from selvedge.compressing import pt2e  # torchao makes the operators known
from selvedge.errors import NotSupported

from .parity import predict

assert pt2e.convert_pt2e
STEP, ZERO = 0.05, 3


class Rounded(nn.Module):
    """A linear layer of int8 weights on rounded inputs, and a float one behind it."""

    def __init__(self, per_channel: bool, low: int = -128) -> None:
        super().__init__()
        r = np.random.default_rng(0)
        self.per_channel, self.low = per_channel, low
        self.register_buffer("weight", torch.tensor(r.integers(-127, 128, (4, 6)), dtype=torch.int8))
        self.register_buffer("scale", torch.tensor(r.uniform(0.01, 0.1, 4), dtype=torch.float32))
        self.register_buffer("zero", torch.zeros(4, dtype=torch.int64))
        self.last = nn.Linear(4, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        of: Any = torch.ops.quantized_decomposed
        own = (STEP, ZERO, self.low, 127, torch.int8)
        x = of.dequantize_per_tensor(of.quantize_per_tensor(x, *own), *own)
        if self.per_channel:
            w = of.dequantize_per_channel(self.weight, self.scale, self.zero, 0, -127, 127, torch.int8)
        else:
            w = of.dequantize_per_tensor(self.weight, 0.02, 0, -127, 127, torch.int8)
        made: torch.Tensor = self.last(nn.functional.linear(x, w))
        return made


EXAMPLE = torch.linspace(-8, 8, 48).reshape(8, 6) + 0.013  # beyond both ends, and on no half of a step


@pytest.mark.parametrize("per_channel", [False, True])
def test_values_are_pytorchs(per_channel: bool) -> None:
    model = Rounded(per_channel).eval()
    made = predict(capture(model, EXAMPLE), EXAMPLE)["output"]
    np.testing.assert_allclose(made, model(EXAMPLE).detach().numpy(), rtol=1e-5, atol=1e-5)


def test_other_ranges_are_refused_in_one_line() -> None:
    with pytest.raises(NotSupported, match=r"int8 in -127\.\.127 are not; quantise them to int8 in -128\.\.127"):
        capture(Rounded(True, low=-127).eval(), EXAMPLE)
