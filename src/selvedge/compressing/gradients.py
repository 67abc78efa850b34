"""Gradients of weights by batches of samples: what criteria look at."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Iterator, Sequence

import torch
from torch import nn

from ..errors import InvalidInput
from .targets import Batch, Loss

Progress = Callable[[int, int, str], None]


def weight(module: nn.Module) -> nn.Parameter:
    """That of a layer."""
    found = module.weight
    assert isinstance(found, nn.Parameter)
    return found


def gradients(
    model: nn.Module, layers: Iterable[str], batches: Sequence[Batch], loss: Loss, progress: Progress, name: str
) -> Iterator[tuple[dict[str, nn.Module], int]]:
    """(layer -> with the gradient of its weight, samples) for each batch; in eval mode, on a copy."""
    own = copy.deepcopy(model).eval()
    for parameter in own.parameters():
        parameter.requires_grad_(parameter.dtype.is_floating_point)
    found = {layer: own.get_submodule(layer) for layer in layers}
    for done, (x, y) in enumerate(batches):
        progress(done, len(batches), name)
        own.zero_grad(set_to_none=False)
        value = loss(own, x, y)
        if not isinstance(value, torch.Tensor) or value.numel() != 1 or not value.requires_grad:
            raise InvalidInput("loss", "no number with a gradient", "give loss(model, x, y) -> a scalar tensor")
        value.backward()
        for layer, module in found.items():
            w = weight(module)
            w.grad = torch.zeros_like(w) if w.grad is None else w.grad
            if not bool(torch.isfinite(w.grad).all()):
                said = f"the loss is {float(value.detach()):g} there"
                fix = f"{said}: look at the samples, the targets and the model's weights"
                raise InvalidInput(f"gradient of {layer}", f"not finite in batch {done}", fix)
        yield found, len(y)
