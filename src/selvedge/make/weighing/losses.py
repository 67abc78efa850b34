"""The losses that files have targets for, in PyTorch: what a network is trained by and scored with."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional

from ...errors import InvalidInput

KINDS: Mapping[str, str] = {
    "cross_entropy": "CrossEntropy", "mse": "MSE", "bce_with_logits": "BCEWithLogits",
    "reconstruction": "Reconstruction",
}  # fmt: skip


def loss_of(name: str) -> Callable[[Tensor, Tensor], Tensor]:
    """(output, target) -> a mean. Raises ``InvalidInput`` for a name that is not of :data:`KINDS`."""
    if name not in KINDS:
        raise InvalidInput("loss", name, f"give one of {', '.join(KINDS)}")
    if name == "cross_entropy":
        return functional.cross_entropy
    plain = functional.binary_cross_entropy_with_logits if name == "bce_with_logits" else functional.mse_loss
    return lambda z, y: plain(z, y.reshape(z.shape))


def output(model: nn.Module, x: Tensor) -> Tensor:
    """The first output of ``model``."""
    given = model(x)
    first = given[0] if isinstance(given, tuple | list) else given
    assert isinstance(first, torch.Tensor)
    return first
