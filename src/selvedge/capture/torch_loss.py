"""A loss written in PyTorch, captured like the model: any function of the output and a target to one number."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import nn

from .. import ir
from ..artifact.layout import Layout
from ..errors import InvalidInput, NotSupported
from . import signature
from .export import export
from .reading import DTYPES, Reading
from .tensor import Tensor

Function = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


class _Called(nn.Module):
    def __init__(self, function: Function) -> None:
        super().__init__()
        self.function = function

    def forward(self, output: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        return self.function(output, target)


@dataclass(frozen=True, slots=True, eq=False)
class TorchLoss:
    """``function(output, target)`` -> a float tensor of one number.

    function: anything callable, an ``nn.Module`` of ``torch.nn`` as well; a mean, if batches are to be accumulated.
    target: a tensor of the shape and dtype of a batch's targets, whose first axis is the batch (int64 is carried as
        int32); None for floats of the output's shape. Its values do not matter.
    classes: whether the targets are classes of the output, 0..C-1: a session then refuses others.
    """

    function: Function
    target: torch.Tensor | None = None
    classes: bool = False

    def __post_init__(self) -> None:
        if not callable(self.function):
            raise InvalidInput("loss", f"of type {type(self.function).__name__}", "give a function (output, target)")
        if self.target is not None and (not isinstance(self.target, torch.Tensor) or self.target.dtype not in DTYPES):
            raise InvalidInput("loss target", self.target, "give a tensor of floats, integers or bools, or None")

    def _face(self, output: ir.Spec, layout: Layout) -> tuple[tuple[int, ...], torch.dtype]:
        """The target's shape in this batch, and its dtype."""
        real = torch.float64 if output.dtype == "float64" else torch.float32
        if self.target is None:
            return layout.face, real
        shape = (layout.face[0], *self.target.shape[1:]) if self.target.ndim and layout.face else ()
        return tuple(shape), real if self.target.is_floating_point() else self.target.dtype

    def labels(self, output: ir.Spec, layout: Layout) -> tuple[ir.Spec, Layout]:
        if self.target is None:
            return output, layout
        face, dtype = self._face(output, layout)
        stored = Layout.of(face)
        return ir.Spec(stored.shape, DTYPES[dtype]), stored

    def of(self, output: ir.Value, layout: Layout, target: ir.Value) -> ir.Value:
        face, dtype = self._face(output.spec, layout)
        real = torch.float64 if output.dtype == "float64" else torch.float32
        example = (torch.zeros(layout.face, dtype=real), torch.zeros(face, dtype=dtype))
        program = export(_Called(self.function), example)
        found = signature.read(program)
        if any(tensor.requires_grad for tensor in found.tensors.values()):
            raise InvalidInput("loss", "with parameters", "put what learns into the model")
        perm = layout.perm if self.target is None else tuple(range(len(face)))
        given = (Tensor(output, layout.perm), Tensor(target, perm))
        reading = Reading(program.graph, found, {}, {}, given)
        made = reading.outputs["output"].value
        if made.shape != () or not made.spec.is_float or len(reading.outputs) != 1:
            raise InvalidInput("loss", f"of shape {made.shape}", "it must return one float number, as a mean")
        if output.node not in ir.topological([made.node]):
            raise NotSupported("the loss", "", "it does not depend on the model's output")
        return made


def _focal(output: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """(1 - p)^2 of the cross entropy: Lin et al., "Focal Loss for Dense Object Detection" (2017), eq. 4, gamma = 2."""
    logp = F.log_softmax(output, 1).gather(1, target.unsqueeze(1))
    return -((1 - logp.exp()).square() * logp).mean()


def _triplets(output: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """Rows in threes: anchor, positive, negative."""
    return F.triplet_margin_loss(output[0::3], output[1::3], output[2::3])


def _contrast(output: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """Rows in pairs; the target of a pair's first row is 1 where they belong together, else -1."""
    return F.cosine_embedding_loss(output[0::2], output[1::2], target[0::2])


def _divergence(output: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """KL(target || softmax(output)), a mean over the batch."""
    return F.kl_div(F.log_softmax(output, 1), target, reduction="batchmean")


_CLASS = torch.zeros(1, dtype=torch.int64)

TORCH_LOSSES: Mapping[str, TorchLoss] = {
    "l1": TorchLoss(F.l1_loss),
    "smooth_l1": TorchLoss(F.smooth_l1_loss),
    "huber": TorchLoss(F.huber_loss),
    "kl": TorchLoss(_divergence),
    "hinge": TorchLoss(F.hinge_embedding_loss),
    "soft_margin": TorchLoss(F.soft_margin_loss),
    "multi_margin": TorchLoss(F.multi_margin_loss, _CLASS, classes=True),
    "focal": TorchLoss(_focal, _CLASS, classes=True),
    "poisson": TorchLoss(F.poisson_nll_loss),
    "cosine": TorchLoss(_contrast, torch.zeros(1)),
    "triplet": TorchLoss(_triplets, torch.zeros(1)),
}
