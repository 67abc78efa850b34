"""Shapes that a view stands between: a linear layer over rows of rows, lines, a loss over one element."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

import selvedge as sv

BOARD = sv.Device(name="board", ram="1MiB", flash="1MiB")
CASES = {
    "linear over (N, T, C)": (lambda: nn.Linear(4, 3), (2, 5, 4)),
    "linear, relu, linear over (N, T, C)": (
        lambda: nn.Sequential(nn.Linear(4, 6, bias=False), nn.ReLU(), nn.Linear(6, 2)),
        (3, 5, 4),
    ),
    "conv1d, norm, relu": (
        lambda: nn.Sequential(nn.Conv1d(3, 8, 5, bias=False), nn.BatchNorm1d(8), nn.ReLU()),
        (2, 3, 32),
    ),
    "depthwise conv1d, relu": (lambda: nn.Sequential(nn.Conv1d(4, 4, 3, groups=4, bias=False), nn.ReLU()), (1, 4, 9)),
    "one output of one sample": (lambda: nn.Linear(4, 1), (1, 4)),
    "one weight": (lambda: nn.Linear(1, 1, bias=False), (1, 1)),
}


@pytest.mark.parametrize("vector_bytes", [0, 64])
@pytest.mark.parametrize("case", CASES)
def test_loss_and_gradients_are_pytorchs(case: str, vector_bytes: int) -> None:
    make, shape = CASES[case]
    torch.manual_seed(0)
    model = make().eval()
    x = torch.randn(shape)
    y = torch.randn_like(model(x).detach())
    loss = nn.functional.mse_loss(model(x), y)
    loss.backward()
    device = sv.Device(name="board", ram="1MiB", flash="1MiB", vector_bytes=vector_bytes)
    plan = sv.plan(model, x, loss="mse", device=device, optimizer=sv.SGD(lr=0.1, momentum=0.9))
    session = sv.compile(plan)
    assert session.step(x, y, lr=0.0) == pytest.approx(loss.item(), rel=1e-5)
    momentum = session.optimizer_state_dict()
    for name, parameter in model.named_parameters():
        expected = parameter.grad.numpy()
        np.testing.assert_allclose(
            momentum[f"{name}.momentum"], expected, rtol=1e-4, atol=1e-6 * np.abs(expected).max()
        )
    found = sv.measured(plan)
    assert found.faults == ()
    assert found.arena == plan.arena_bytes


def test_every_output_of_a_model_is_given() -> None:
    class Two(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b = nn.Linear(3, 2), nn.Linear(3, 4)

        def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            return self.a(x), self.b(x)

    model, x = Two().eval(), torch.randn(2, 3)
    outputs = sv.compile(sv.plan(model, x, device=BOARD)).predict(x)
    for got, expected in zip(outputs, model(x), strict=True):
        np.testing.assert_allclose(got, expected.detach().numpy(), rtol=1e-5, atol=1e-6)
