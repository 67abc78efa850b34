"""Losses written in PyTorch: values and gradients are autograd's, in the interpreter and in native code."""

from __future__ import annotations

import warnings
from collections.abc import Callable

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

import selvedge as sv
from selvedge.capture import capture, loss, programs
from selvedge.capture.torch_loss import TORCH_LOSSES, TorchLoss
from selvedge.errors import InvalidInput, NotSupported
from tests import oracle

from .parity import parameter_gradients

CLASSES, ROWS = 5, 6


def _model() -> nn.Module:
    torch.manual_seed(3)
    return nn.Sequential(nn.Linear(4, 7), nn.Tanh(), nn.Linear(7, CLASSES)).eval()


def _whole(generator: torch.Generator) -> torch.Tensor:
    return torch.randint(0, CLASSES, (ROWS,), generator=generator)


def _signs(generator: torch.Generator, *shape: int) -> torch.Tensor:
    return torch.randint(0, 2, shape or (ROWS,), generator=generator) * 2.0 - 1


def _weighted(output: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    weight = torch.tensor([0.5, 1.0, 2.0, 0.1, 1.5], dtype=output.dtype)
    return F.cross_entropy(output, target, weight, ignore_index=0, label_smoothing=0.1)


def _hot(output: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    return ((output.softmax(1) - F.one_hot(target, CLASSES)) ** 2).sum(1).mean()


WRITTEN: dict[str, TorchLoss] = {
    **TORCH_LOSSES,
    "weighted": TorchLoss(_weighted, torch.zeros(1, dtype=torch.int64), classes=True),
    "brier": TorchLoss(_hot, torch.zeros(1, dtype=torch.int64), classes=True),
    "module": TorchLoss(nn.CrossEntropyLoss(torch.arange(1.0, CLASSES + 1)), torch.zeros(1, dtype=torch.int64)),
}


def _target(which: TorchLoss, name: str, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    if name in ("hinge", "soft_margin"):
        return _signs(generator, ROWS, CLASSES)
    if name in ("cosine", "triplet"):
        return _signs(generator)
    if which.target is not None:
        return _whole(generator)
    return torch.rand(ROWS, CLASSES, generator=generator).softmax(1)


def _reference(which: TorchLoss, model: nn.Module, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return which.function(model(x), y)


@pytest.mark.parametrize("name", WRITTEN)
def test_value_and_gradients_are_autograds(name: str) -> None:
    which, model = WRITTEN[name], _model().double()
    if name == "module":
        which = TorchLoss(nn.CrossEntropyLoss(torch.arange(1.0, CLASSES + 1, dtype=torch.float64)), which.target)
    x = torch.randn(ROWS, 4, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    y = _target(which, name)
    y = y.double() if y.is_floating_point() else y
    captured = capture(model, x)
    expected = _reference(which, model, x, y)
    expected.backward()
    found = parameter_gradients(captured, x, y.numpy().astype(np.float64 if y.is_floating_point() else np.int32), which)
    for parameter, tensor in model.named_parameters():
        np.testing.assert_allclose(found[parameter], tensor.grad.numpy(), rtol=1e-6, atol=1e-9, err_msg=parameter)


@pytest.mark.parametrize("name", ["huber", "focal", "weighted", "triplet"])
def test_native_gradients_are_autograds(name: str) -> None:
    which, model = WRITTEN[name], _model()
    x = torch.randn(ROWS, 4, generator=torch.Generator().manual_seed(1))
    y = _target(which, name)
    chosen = name if name in TORCH_LOSSES else which
    plan = sv.plan(model, x, loss=chosen, device=oracle.WIDE, optimizer=sv.SGD(lr=0.1, momentum=0.9))
    session = sv.compile(plan)
    value = session.evaluate(x, y)[0]
    expected = _reference(which, model, x, y)
    np.testing.assert_allclose(value, expected.item(), rtol=1e-5)
    expected.backward()
    got = oracle.native_gradients(session, x, y)
    for parameter, tensor in model.named_parameters():
        assert oracle.relative(got[parameter], tensor.grad.double().numpy()) < 1e-4


def test_a_function_is_a_loss() -> None:
    model, x = _model(), torch.zeros(ROWS, 4)
    plan = sv.plan(model, x, loss=lambda output, target: (output - target).abs().mean(), device=oracle.WIDE)
    assert plan.programs.layouts["y"].face == (ROWS, CLASSES)


def test_labels_out_of_range_are_refused_before_anything_is_updated() -> None:
    model, x = _model(), torch.ones(2, 4)
    session = sv.compile(sv.plan(model, x, loss="focal", device=oracle.WIDE))
    before = session.state_dict()
    with pytest.raises(InvalidInput, match="labels must lie in 0"):
        session.step(x, torch.tensor([0, CLASSES]))
    picking = TorchLoss(nn.NLLLoss(), torch.zeros(2, dtype=torch.int64))
    unknown = sv.compile(sv.plan(model, x, loss=picking, device=oracle.WIDE))
    with pytest.raises(InvalidInput, match="x or y is with an index out of range"):
        unknown.step(x, torch.tensor([0, -1]))
    for name, array in unknown.state_dict().items():
        assert torch.equal(array, before[name])


def _vector(output: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    return (output - target).mean(1)


def _constant(output: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    return target.mean()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: TorchLoss(3), "of type int"),  # type: ignore[arg-type]
        (lambda: TorchLoss(F.l1_loss, target=3), "give a tensor"),  # type: ignore[arg-type]
        (lambda: TorchLoss(_vector), "it must return one float number"),
        (lambda: TorchLoss(_constant), "does not depend on the model's output"),
        (lambda: TorchLoss(nn.Bilinear(CLASSES, CLASSES, 1)), "put what learns into the model"),
        (lambda: TorchLoss(lambda o, t: torch.linalg.svdvals(o - t).sum()), "linalg_svd"),
    ],
)
def test_what_is_no_loss_is_refused(make: Callable[[], TorchLoss], message: str) -> None:
    captured = capture(_model(), torch.zeros(ROWS, 4))
    with pytest.raises((InvalidInput, NotSupported), match=message) as error:
        programs(captured, loss(make()), sv.SGD(0.1), captured.trainable)
    assert "\n" not in str(error.value)
