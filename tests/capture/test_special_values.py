"""Zeros of both signs, ties, kinks and large numbers: values and gradients are PyTorch's there too, in float64."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from selvedge import ir
from selvedge.capture import capture

from .database import ONE, loss_gradients

Function = Callable[..., torch.Tensor]

SPECIAL = (
    0.0,
    -0.0,
    1e-300,
    -1e-170,
    1.0,
    1.0,
    -1.0,
    0.5,
    -0.5,
    3.0,
    -3.0,
    6.0,
    20.0,
    20.5,
    -20.0,
    800.0,
    -800.0,
    1e140,
)
ROWS: dict[str, tuple[float, ...]] = {
    "special": SPECIAL,
    "zeros": (0.0,) * 6,
    "minus zeros": (-0.0, 0.0) * 3,
    "ties": (2.0, 2.0, -1.0, -1.0, 2.0, 0.0),
    "constant": (0.25,) * 6,
    "large": (1e150, -1e150, 1e149, 3.0, 0.0, -7e149),
    "tiny": (1e-170, -1e-170, 1e-160, 0.0, -0.0, 1e-310),
}


class Of(nn.Module):
    """``function`` of two rows that are parameters, and of slopes that are."""

    def __init__(self, function: Callable[..., torch.Tensor], row: tuple[float, ...]) -> None:
        super().__init__()
        self.function = function
        self.rows = nn.Parameter(torch.tensor([row, row[::-1]], dtype=torch.float64))
        self.slopes = nn.Parameter(torch.linspace(-0.5, 0.5, len(row), dtype=torch.float64))

    def forward(self, one: torch.Tensor) -> torch.Tensor:
        x = self.rows * one
        return self.function(x, self.slopes) if self.function is F.prelu else self.function(x)


FUNCTIONS: dict[str, Function] = {
    "normalize": F.normalize,
    "norm": lambda x: x.norm(dim=1) + torch.linalg.vector_norm(x),
    "std": lambda x: x.std(1) + x.std(),
    "std uncorrected": lambda x: x.std(1, correction=0),
    "var": lambda x: x.var(1) + x.var(),
    "standardised": lambda x: (x - x.mean(1, keepdim=True)) / (x.std(1, keepdim=True) + 1e-5),
    "rms_norm": lambda x: F.rms_norm(x, x.shape[1:], eps=1e-5),
    "layer_norm": lambda x: F.layer_norm(x, x.shape[1:]),
    "group_norm": lambda x: F.group_norm(x[:, :6], 2),
    "softmax": lambda x: x.softmax(1),
    "log_softmax": lambda x: x.log_softmax(1),
    "logsumexp": lambda x: x.logsumexp(1),
    "logsumexp of two": lambda x: torch.stack([x, x * 0.5]).logsumexp((0, 2)),
    "max": lambda x: x.max(),
    "max dim": lambda x: x.max(1).values,
    "amax": lambda x: x.amax(1) + x.amin(1),
    "maximum": lambda x: torch.maximum(x, -x) + torch.minimum(x, x * 2),
    "clamp": lambda x: x.clamp(-1, 3) + x.clamp(min=0) + x.clamp(max=0),
    "relu": lambda x: F.relu(x) + F.relu6(x) + F.hardtanh(x),
    "leaky_relu": lambda x: F.leaky_relu(x, 0.1),
    "prelu": F.prelu,
    "prelu number": lambda x: F.prelu(x, torch.tensor(0.2, dtype=x.dtype)),
    "elu": F.elu,
    "gelu": F.gelu,
    "gelu tanh": lambda x: F.gelu(x, approximate="tanh"),
    "silu": F.silu,
    "mish": F.mish,
    "softplus": F.softplus,
    "softplus beta": lambda x: F.softplus(x, beta=2),
    "logsigmoid": F.logsigmoid,
    "softsign": F.softsign,
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "hardswish": F.hardswish,
    "hardsigmoid": F.hardsigmoid,
    "abs": torch.abs,
    "sign": torch.sign,
    "erf": torch.erf,
    "square": torch.square,
    "power": lambda x: x**3 + x**2 + x**1 + x**0,
    "fraction": lambda x: x.abs() ** 1.5,
    "where": lambda x: torch.where(x > 0, x, 2 * x),
    "sqrt": torch.sqrt,
    "exp2": torch.exp2,
    "exp": torch.exp,
    "log1p": torch.log1p,
    "sin": lambda x: x.sin() + x.cos(),
    "attention": lambda x: F.scaled_dot_product_attention(x[None], x[None], x[None]),
    "max_pool": lambda x: F.max_pool1d(x[None], 3, 1),
    "lerp": lambda x: torch.lerp(x, x * 2, 0.3),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_values_and_gradients_are_pytorchs_where_functions_have_kinks(name: str) -> None:
    """Where PyTorch's own number is NaN or infinite (a root at 0, say), ours may be any."""
    rng = np.random.default_rng(0)
    for row, numbers in ROWS.items():
        model = Of(FUNCTIONS[name], numbers)
        captured, y = capture(model, ONE), model(ONE)
        weights = rng.uniform(0.5, 2, size=tuple(y.shape))
        expected = torch.autograd.grad(
            (y * torch.from_numpy(weights)).sum(), [model.rows, model.slopes], allow_unused=True
        )
        found = ir.interpret(captured.graph, {"x": ONE.numpy()}, captured.stored())["output"]
        _agree(captured.layouts["output"].restore(found), y.detach().numpy(), f"value of {row}")
        made = loss_gradients(captured, weights)
        for parameter, gradient in zip(("rows", "slopes"), expected, strict=True):
            if gradient is not None:
                _agree(made[parameter][0], gradient.numpy(), f"gradient of {row}")


def _agree(found: np.ndarray, expected: np.ndarray, what: str) -> None:
    sound = np.isfinite(expected)
    np.testing.assert_allclose(found[sound], expected[sound], rtol=1e-7, atol=1e-12, err_msg=what)


def test_a_plain_root_keeps_its_infinite_gradient() -> None:
    captured = capture(Of(torch.sqrt, (0.0, 4.0)), ONE)
    np.testing.assert_array_equal(
        loss_gradients(captured, np.ones((2, 2)))["rows"][0], [[np.inf, 0.25], [0.25, np.inf]]
    )
