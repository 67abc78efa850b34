"""How a layer's tensors follow its channels: what may be cut, what passes channels through, what must stay.

A layer *mixes* where each output channel is made of all inputs of its group (convolution, linear): it ends one group of
channels and begins the next. It *passes* where channel j stays channel j (batch norm, depthwise convolution, PReLU).
Every other layer with tensors of its own (recurrent, embedding, layer norm) is *fixed*: its channels are not cut. One
whose tensors are single numbers (a PReLU with one slope, a learnt scale) has no channels, and is as if it had none.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import nn

MIXES, PASSES, FIXED = "mixes", "passes", "fixed"
CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
TRANSPOSED = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)
NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)


@dataclass(frozen=True, slots=True)
class Axes:
    """The axis of a tensor along which output channels lie, and input channels (of one group); None where none do."""

    out: int | None
    into: int | None


def role(module: nn.Module) -> str | None:
    """``MIXES``, ``PASSES``, ``FIXED``, or None for a module without tensors of its own but single numbers, or that is
    made of others."""
    if isinstance(module, CONVOLUTIONS) and _plain(module):
        return PASSES if depthwise(module) else MIXES
    if isinstance(module, TRANSPOSED) and _plain(module) and module.groups == 1:
        return MIXES
    if isinstance(module, nn.Linear) and _plain(module):
        return MIXES
    if isinstance(module, NORMS):
        return PASSES
    if isinstance(module, nn.PReLU) and module.num_parameters > 1:
        return PASSES
    leaf = not any(True for _ in module.children())
    own = [t for t in (*module.parameters(recurse=False), *module.buffers(recurse=False)) if t.numel() > 1]
    return FIXED if own and (leaf or isinstance(module, nn.Linear | nn.modules.conv._ConvNd)) else None


def _plain(module: nn.Module) -> bool:
    """Whether the weight is a parameter of the layer itself, not computed by weight norm or another parametrization."""
    return isinstance(module._parameters.get("weight"), nn.Parameter)


def depthwise(module: nn.Module) -> bool:
    """Whether every group has one input channel, and there is more than one."""
    return isinstance(module, CONVOLUTIONS) and module.groups == module.in_channels > 1


def groups(module: nn.Module) -> int:
    return module.groups if isinstance(module, (*CONVOLUTIONS, *TRANSPOSED)) else 1


def sizes(module: nn.Module) -> tuple[int, int]:
    """(input channels or features, output channels or features)."""
    if isinstance(module, (*CONVOLUTIONS, *TRANSPOSED)):
        return module.in_channels, module.out_channels
    if isinstance(module, nn.Linear):
        return module.in_features, module.out_features
    if isinstance(module, NORMS):
        return module.num_features, module.num_features
    assert isinstance(module, nn.PReLU)
    return module.num_parameters, module.num_parameters


def axes(module: nn.Module) -> Mapping[str, Axes]:
    """Name of each parameter and buffer that has channels -> where they lie."""
    if isinstance(module, TRANSPOSED):
        found = {"weight": Axes(1, 0), "bias": Axes(0, None)}
    elif isinstance(module, CONVOLUTIONS) and depthwise(module):
        found = {"weight": Axes(0, None), "bias": Axes(0, None)}
    elif isinstance(module, (*CONVOLUTIONS, nn.Linear)):
        found = {"weight": Axes(0, 1), "bias": Axes(0, None)}
    else:
        found = {k: Axes(0, None) for k in ("weight", "bias", "running_mean", "running_var")}
    return {k: v for k, v in found.items() if getattr(module, k, None) is not None}


def input_axis(module: nn.Module) -> int:
    """Of the tensor that it is given, where channels lie."""
    return -1 if isinstance(module, nn.Linear) else 1


def resize(module: nn.Module, inputs: int, outputs: int) -> None:
    """Write the sizes into the layer's own fields; the tensors are another's work."""
    if isinstance(module, (*CONVOLUTIONS, *TRANSPOSED)):
        if depthwise(module):
            module.groups = inputs
        module.in_channels, module.out_channels = inputs, outputs
    elif isinstance(module, nn.Linear):
        module.in_features, module.out_features = inputs, outputs
    elif isinstance(module, NORMS):
        module.num_features = outputs
    else:
        assert isinstance(module, nn.PReLU)
        module.num_parameters = outputs


def by_input(module: nn.Module, weight: torch.Tensor) -> torch.Tensor:
    """[in]: sums of a tensor like the layer's weight over all that reads each input channel."""
    if isinstance(module, TRANSPOSED):
        return weight.reshape(len(weight), -1).sum(1)
    share = groups(module)
    parts = weight.reshape(share, weight.shape[0] // share, weight.shape[1], -1)
    return parts.sum((1, 3)).reshape(-1)


def by_output(module: nn.Module, tensor: torch.Tensor, axis: int) -> torch.Tensor:
    """[out]: sums of a tensor of the layer over all that makes each output channel."""
    return tensor.movedim(axis, 0).reshape(tensor.shape[axis], -1).sum(1)
