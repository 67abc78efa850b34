"""Losses and their gradients are PyTorch's; labels have the shapes they say."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from selvedge import ir
from selvedge.capture import MSE, SGD, CrossEntropy, Loss, Reconstruction, capture, loss, programs
from selvedge.errors import InvalidInput

from .parity import parameter_gradients, stored_inputs

Reference = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


class Linear(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(5, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.fc(x)


def _compare(
    model: nn.Module, x: torch.Tensor, y: torch.Tensor | None, which: str | Loss, reference: Reference
) -> None:
    model = model.double().eval()
    captured = capture(model, x)
    steps = programs(captured, loss(which), SGD(0.1), captured.trainable)
    inputs = stored_inputs(captured, x)
    labels = None if y is None else y.numpy()
    if labels is not None:
        inputs["y"] = steps.layouts["y"].store(labels)
    expected = reference(model(x), x if y is None else y)
    found = ir.interpret(steps.evaluate, inputs, captured.stored())
    np.testing.assert_allclose(found["loss"], expected.item(), rtol=1e-12)
    expected.backward()
    gradients = parameter_gradients(captured, x, labels, which)
    for name, parameter in model.named_parameters():
        np.testing.assert_allclose(gradients[name], parameter.grad.numpy(), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_cross_entropy(smoothing: float) -> None:
    x, y = torch.randn(3, 5).double(), torch.tensor([0, 3, 1])
    _compare(Linear(), x, y, CrossEntropy(smoothing), lambda o, y: F.cross_entropy(o, y, label_smoothing=smoothing))


def test_cross_entropy_of_maps() -> None:
    x, y = torch.randn(2, 3, 5, 4).double(), torch.randint(0, 6, (2, 3, 4))
    _compare(nn.Conv2d(3, 6, (3, 1)), x, y, "cross_entropy", F.cross_entropy)


def test_mse_of_maps() -> None:
    x, y = torch.randn(2, 3, 5, 4).double(), torch.randn(2, 6, 3, 4).double()
    _compare(nn.Conv2d(3, 6, (3, 1)), x, y, "mse", F.mse_loss)


def test_bce_with_logits() -> None:
    x, y = torch.randn(3, 5).double(), torch.rand(3, 4).double()
    _compare(Linear(), x, y, "bce_with_logits", F.binary_cross_entropy_with_logits)


def test_reconstruction_needs_no_labels() -> None:
    x = torch.randn(2, 3, 5, 4).double()
    _compare(nn.Conv2d(3, 3, 1), x, None, "reconstruction", F.mse_loss)
    _compare(nn.Conv2d(3, 3, 1), x.contiguous(), None, Reconstruction(), F.mse_loss)
    captured = capture(nn.Conv2d(3, 3, 1).eval(), x.float())
    assert set(programs(captured, Reconstruction(), SGD(0.1), captured.trainable).step.inputs) == {"x", "lr"}


def test_an_unused_parameter_is_left_alone() -> None:
    class TwoHeads(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b = nn.Linear(5, 4), nn.Linear(5, 2)

        def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            return self.a(x), self.b(x)

    captured = capture(TwoHeads().eval(), torch.randn(2, 5))
    assert list(captured.graph.outputs) == ["output", "output1"]
    assert programs(captured, MSE(), SGD(0.1), captured.trainable).updated == ("a.weight", "a.bias")
    with pytest.raises(InvalidInput, match=r"update is b.weight: none of these influences the loss"):
        programs(captured, MSE(), SGD(0.1), ("b.weight",))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: loss("hinges"),
            "loss is 'hinges': give one of cross_entropy, mse, bce_with_logits, reconstruction, l1, smooth_l1, huber, "
            "kl, hinge, soft_margin, multi_margin, focal, poisson, cosine, triplet",
        ),
        (lambda: CrossEntropy(2.0), "label_smoothing is 2.0: it must lie in 0..1"),
    ],
)
def test_bad_losses_are_refused(make, message) -> None:
    with pytest.raises(InvalidInput) as error:
        make()
    assert str(error.value) == message


def test_reconstruction_of_another_shape_is_refused() -> None:
    captured = capture(Linear().eval(), torch.randn(2, 5))
    with pytest.raises(InvalidInput, match=r"the output \(2, 4\) is not like the input \(2, 5\)"):
        programs(captured, Reconstruction(), SGD(0.1), captured.trainable)
