"""What every contestant is given: one model with its weights, one batch, one loss."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from functools import cached_property

import torch
from torch import nn
from torch.nn.utils import fusion

from selvedge import zoo

MODELS = (
    "resnet8",
    "ds_cnn",
    "mobilenet_v1_025",
    "deep_autoencoder",
    "mobilenet_v2?width=0.35&resolution=96",
)
RATE = 1e-3


@dataclass(frozen=True)
class Work:
    """A training step to be done. ``spec``: a model of the zoo, in eval mode, so that its norms are frozen.

    folded: each norm is folded into the layer before it, by PyTorch's own fusion. Everything is seeded.
    """

    spec: str
    batch: int = 1
    folded: bool = False
    _made: tuple[nn.Module, torch.Tensor, str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        model, example, loss = zoo.make(self.spec)
        model.eval()
        object.__setattr__(self, "_made", (fold(model) if self.folded else model, example, loss))

    def __str__(self) -> str:
        return f"{self.spec} at batch {self.batch}" + (", folded" if self.folded else "")

    @property
    def loss(self) -> str:
        """The loss by the name that Selvedge gives it."""
        return self._made[2]

    @property
    def own(self) -> nn.Module:
        """The model itself."""
        return self._made[0]

    def model(self) -> nn.Module:
        """A copy of its own for every contestant."""
        return copy.deepcopy(self._made[0])

    @cached_property
    def x(self) -> torch.Tensor:
        generator = torch.Generator().manual_seed(0)
        return torch.randn(self.batch, *self._made[1].shape[1:], generator=generator)

    @cached_property
    def y(self) -> torch.Tensor | None:
        """Labels; None where the target is the input."""
        return None if self.loss == "reconstruction" else torch.arange(self.batch) % 2


class WithLoss(nn.Module):
    """The model and its loss as one module: (x, y or None) -> scalar."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, x: torch.Tensor, y: torch.Tensor | None = None) -> torch.Tensor:
        output = self.model(x)
        return nn.functional.mse_loss(output, x) if y is None else nn.functional.cross_entropy(output, y)


def fold(module: nn.Module) -> nn.Module:
    """``module`` with every batch norm that follows its layer in a sequence fused into it; in place."""
    for name, layer in list(module.named_children()):
        fold(layer)
        if not isinstance(module, nn.Sequential) or int(name) + 1 >= len(module):
            continue
        norm = module[int(name) + 1]
        if isinstance(norm, nn.BatchNorm2d) and isinstance(layer, nn.Conv2d):
            module[int(name)] = fusion.fuse_conv_bn_eval(layer, norm)
        elif isinstance(norm, nn.BatchNorm1d) and isinstance(layer, nn.Linear):
            module[int(name)] = fusion.fuse_linear_bn_eval(layer, norm)
        else:
            continue
        module[int(name) + 1] = nn.Identity()
    return module
