"""What ExecuTorch's own training programs get wrong, silently or not, and ours get right: the same layers and weights.

Ours is an ordinary program whose gradient rows are our own, so that its backward operators of pools and norms are not
asked."""

from __future__ import annotations

import logging
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import selvedge as sv

X = torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(0))
Y = torch.tensor([1, 2])


class WithLoss(nn.Module):
    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        return nn.functional.cross_entropy(self.model(x), y)


def network(middle: nn.Module, width: int) -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), middle, nn.Flatten(), nn.Linear(width, 3))


def pytorchs(model: nn.Module) -> dict[str, np.ndarray]:
    model.zero_grad()
    WithLoss(model)(X, Y).backward()
    return {n: p.grad.numpy().copy() for n, p in model.named_parameters() if p.grad is not None}


def theirs(model: nn.Module) -> dict[str, np.ndarray]:
    """By ``_export_forward_backward``, as ExecuTorch's examples do."""
    logging.disable(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            from executorch.exir import to_edge
            from executorch.extension.training import _load_for_executorch_for_training_from_buffer
            from torch.export.experimental import _export_forward_backward

            exported = torch.export.export(WithLoss(model), (X, Y), strict=False)
            program = to_edge(_export_forward_backward(exported)).to_executorch()
            buffer = program.buffer  # the module points into it and does not keep it
            module = _load_for_executorch_for_training_from_buffer(buffer)
            module.forward_backward("forward", (X, Y))
            found = {n.removeprefix("model."): g.numpy().copy() for n, g in module.named_gradients().items()}
    finally:
        logging.disable(logging.NOTSET)
    return found


def ours(model: nn.Module, folder: Path, norms: str = "frozen") -> dict[str, np.ndarray]:
    plan = sv.plan(model, X, optimizer=sv.SGD(lr=0.01, momentum=0.9), norms=norms, name="net")
    session = sv.load(sv.emit(plan, "executorch", folder))
    session.step(X.numpy(), Y.numpy())
    return {n.removesuffix(".momentum"): a for n, a in session.optimizer_state_dict().items()}


def error(found: dict[str, np.ndarray], right: dict[str, np.ndarray]) -> float:
    return max(float(np.abs(found[n] - g).max() / np.abs(g).max()) for n, g in right.items())


def test_the_gradient_of_a_maximum_pool_is_silently_wrong_there_and_right_here(tmp_path: Path) -> None:
    model = network(nn.MaxPool2d(2), 64).eval()
    right = pytorchs(model)
    assert error(theirs(model), right) > 1
    assert error(ours(model, tmp_path / "net"), right) < 1e-5


def test_an_average_pool_fails_there_and_learns_here(tmp_path: Path) -> None:
    model = network(nn.AvgPool2d(2), 64).eval()
    with pytest.raises(RuntimeError, match="Failed to execute method forward, error: 0x14"):  # a missing operator
        theirs(model)
    assert error(ours(model, tmp_path / "net"), pytorchs(model)) < 1e-5


def test_a_norm_that_trains_fails_there_and_learns_here(tmp_path: Path) -> None:
    model = network(nn.BatchNorm2d(4), 256).train()
    with pytest.raises(Exception, match="_native_batch_norm_legit_functional"):
        theirs(model)
    live = ours(model, tmp_path / "live", norms="live")
    right = pytorchs(network(nn.BatchNorm2d(4), 256).train())
    assert np.abs(right.pop("0.bias")).max() < 1e-7  # the norm takes it away again: what is left is rounding
    assert error(live, right) < 1e-4
    frozen = network(nn.BatchNorm2d(4), 256).eval()
    assert error(ours(frozen, tmp_path / "frozen"), pytorchs(frozen)) < 1e-5
