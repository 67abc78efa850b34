"""What every contestant is given: one model with its weights, one batch, one loss."""

from __future__ import annotations

import copy
import math
from dataclasses import dataclass, field
from functools import cached_property

import torch
from torch import nn
from torch.nn.utils import fusion

from selvedge import zoo
from selvedge.zoo.registry import parse

MODELS = (
    "resnet8",
    "ds_cnn",
    "mobilenet_v1_025",
    "deep_autoencoder",
    "mobilenet_v2?width=0.35&resolution=96",
)
RATE = 1e-3
SETTLED = 4  # samples
NORMS = (nn.BatchNorm1d, nn.BatchNorm2d)


@dataclass(frozen=True)
class Work:
    """A training step to be done. ``spec``: a model of the zoo, in eval mode, so that its norms are frozen.

    folded: each norm is folded into the layer before it, by PyTorch's own fusion. settled: norms have the statistics of
    ``SETTLED`` samples; with those of a new network a deep one lets all signal die, and its loss is that of any other.
    Everything is seeded.
    """

    spec: str
    batch: int = 1
    folded: bool = False
    settled: bool = False
    _made: tuple[nn.Module, torch.Tensor, str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        model, example, loss = zoo.make(self.spec)
        model.eval()
        if self.settled:
            _settle(model, self._samples(SETTLED, 1))
        object.__setattr__(self, "_made", (fold(model) if self.folded else model, example, loss))

    def __str__(self) -> str:
        told = (("folded", self.folded), ("settled", self.settled))
        return ", ".join((f"{self.spec} at batch {self.batch}", *(word for word, given in told if given)))

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
        """Standard normal, or uniform tokens."""
        return self._samples(self.batch, 0)

    @cached_property
    def y(self) -> torch.Tensor | None:
        """Labels [N], or [N,T] where there are logits [N,C,T]; None where the target is the input."""
        if self.loss == "reconstruction":
            return None
        with torch.no_grad():
            shape = (self.batch, *self.own(self._made[1]).shape[2:])
        return torch.arange(math.prod(shape)).reshape(shape) % 2

    def _samples(self, count: int, seed: int) -> torch.Tensor:
        generator = torch.Generator().manual_seed(seed)
        entry, options = parse(self.spec)
        shape = (count, *entry.shape_of(options))
        if entry.tokens is None:
            return torch.randn(shape, generator=generator)
        return torch.randint(int(options[entry.tokens]), shape, generator=generator, dtype=torch.int32)


class WithLoss(nn.Module):
    """The model and its loss as one module: (x, y or None) -> scalar."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, x: torch.Tensor, y: torch.Tensor | None = None) -> torch.Tensor:
        output = self.model(x)
        return nn.functional.mse_loss(output, x) if y is None else nn.functional.cross_entropy(output, y)


def fold(module: nn.Module) -> nn.Module:
    """``module`` with every batch norm that alone reads a convolution or linear layer fused into it; in place."""
    parts = dict(module.named_modules())
    for node in _Layers().trace(module).nodes:
        norm = parts.get(str(node.target)) if node.op == "call_module" else None
        behind = node.args[0] if isinstance(norm, NORMS) else None
        if not isinstance(behind, torch.fx.Node) or behind.op != "call_module" or len(behind.users) > 1:
            continue
        layer = parts[str(behind.target)]
        if isinstance(layer, nn.Conv1d | nn.Conv2d):
            module.set_submodule(str(behind.target), fusion.fuse_conv_bn_eval(layer, norm))
        elif isinstance(layer, nn.Linear):
            module.set_submodule(str(behind.target), fusion.fuse_linear_bn_eval(layer, norm))
        else:
            continue
        module.set_submodule(str(node.target), nn.Identity())
    return module


def _settle(model: nn.Module, x: torch.Tensor) -> None:
    """Every norm's running statistics made those of ``x``; nothing else changes."""
    norms = [m for m in model.modules() if isinstance(m, NORMS)]
    for norm in norms:
        norm.train()
        norm.reset_running_stats()
        norm.momentum = None  # the mean over all batches, of which there is one
    with torch.no_grad():
        model(x)
    for norm in norms:
        norm.eval()


class _Layers(torch.fx.Tracer):
    """Sees a convolution as one layer, whatever class of the zoo it is."""

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return isinstance(m, nn.Conv1d | nn.Conv2d) or super().is_leaf_module(m, module_qualified_name)
