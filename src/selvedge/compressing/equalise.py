"""Cross-layer equalisation: nn.Module -> nn.Module of the same function, whose channels spread alike.

Nagel et al., "Data-Free Quantization Through Weight Equalization and Bias Correction" (2019), arXiv:1906.04721, section
4.1: between two layers with a ReLU in between, output channel i of the first may be divided by any s_i > 0 and input
channel i of the second multiplied by it. s_i = sqrt(r1_i / r2_i), with r the largest magnitude of the channel on either
side, makes both spread alike; chains (convolution, depthwise, pointwise) are gone through until nothing moves.

ReLU6 is not free to scale. Where it never cuts a channel off on the samples, s_i is kept so large that it still does
not (s_i >= max_i / 6); a channel that it does cut off keeps s_i = 1. So ReLU6 stays, and the function on the samples
too.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn
from torch.fx import Node

from .export import Inputs, exported
from .fold import Layer, folded, layer_modules
from .layers import KEY, chain, weighted
from .operators import DROPOUTS, WEIGHTED, aten, bounds

ROUNDS, STILL = 50, 1e-3
FARTHEST = 1e4  # s at most, and 1 / s
SIX = (0.0, 6.0)
# What lets a positive factor of a channel through.
POOLS = (
    aten.max_pool1d.default, aten.max_pool2d.default, aten.avg_pool1d.default, aten.avg_pool2d.default,
    aten.adaptive_avg_pool1d.default, aten.adaptive_avg_pool2d.default,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Pair:
    """Two layers with nothing between them but what lets a factor of a channel through; ``six``: a ReLU6."""

    first: str
    second: str
    six: bool


def equalised(model: nn.Module, data: list[Inputs]) -> nn.Module:
    """A copy of ``model`` in eval mode, norms folded, neighbouring layers equalised. data: batches, for ReLU6."""
    example = tuple(x[:2] for x in data[0])
    made = folded(model, example)
    modules, found = layer_modules(made, example), pairs(made, example)
    reach = highest(made, {p.first: modules[p.first] for p in found if p.six}, data)
    whole = {p: torch.ones(len(modules[p.first].weight), dtype=torch.float64) for p in found}
    for _ in range(ROUNDS):
        moved = 0.0
        for pair in found:
            first, second = modules[pair.first], modules[pair.second]
            wanted = whole[pair] * _factor(first, second)
            wanted = wanted.clamp(1 / FARTHEST, FARTHEST)
            if pair.six:
                top = reach[pair.first].double()
                wanted = torch.where(top >= 6, torch.ones_like(wanted), torch.maximum(wanted, top / 6 * (1 + 1e-6)))
            step = wanted / whole[pair]
            whole[pair] = wanted
            _scale(first, second, step)
            moved = max(moved, float((step.log()).abs().max()))
        if moved < STILL:
            break
    return made


def pairs(model: nn.Module, example: Inputs) -> list[Pair]:
    """What can be equalised in ``model``, norms folded, in order of execution."""
    graph = exported(model, example).graph
    modules = layer_modules(model, example)
    found = []
    for name, node in weighted(graph):
        parts = chain(node)
        cut = bounds(parts[-1]) if len(parts) > 1 else (None, None)
        if name not in modules or cut not in (SIX, (0.0, None), (None, None)):
            continue
        reader = _reader(parts[-1])
        if reader is None or reader.args[0] is parts[-1].args[0]:
            continue
        second = reader.meta[KEY]
        if second in modules and _inputs(modules[second]) == len(modules[name].weight):
            found.append(Pair(name, second, cut == SIX))
    return found


def highest(model: nn.Module, layers: dict[str, Layer], data: list[Inputs]) -> dict[str, torch.Tensor]:
    """Layer -> the greatest value of each of its output channels on ``data``."""
    found: dict[str, torch.Tensor] = {}

    def watch(name: str, module: Layer) -> torch.utils.hooks.RemovableHandle:
        def hook(_module: nn.Module, _given: object, out: torch.Tensor) -> None:
            rows = channels_last(module, out).reshape(-1, len(module.weight)).amax(0)
            found[name] = rows if name not in found else torch.maximum(found[name], rows)

        return module.register_forward_hook(hook)

    handles = [watch(name, module) for name, module in layers.items()]
    try:
        with torch.no_grad():
            for batch in data if layers else []:
                model(*batch)
    finally:
        for handle in handles:
            handle.remove()
    return found


def channels_last(module: Layer, out: torch.Tensor) -> torch.Tensor:
    """The output of a layer with its channels as the last axis."""
    axis = out.dim() - (1 if isinstance(module, nn.Linear) else module.weight.dim() - 1)
    return out.movedim(axis, -1)


def _reader(node: Node) -> Node | None:
    """The one layer with a weight that reads ``node``, through pools, dropout and a flattening; None else."""
    while True:
        if len(node.users) != 1:
            return None
        user = next(iter(node.users))
        if user.target in WEIGHTED:
            return user if user.args[0] is node else None
        if user.target not in (*POOLS, *DROPOUTS, aten.flatten.using_ints):
            return None
        node = user


def _inputs(module: Layer) -> int:
    return module.in_features if isinstance(module, nn.Linear) else module.in_channels


def _grouped(module: Layer) -> torch.Tensor:
    """The weight as [groups, outputs of a group, inputs of a group, taps]: a view."""
    groups = 1 if isinstance(module, nn.Linear) else module.groups
    weight = module.weight
    return weight.view(groups, weight.shape[0] // groups, weight.shape[1], -1)


def _factor(first: Layer, second: Layer) -> torch.Tensor:
    """s of each channel between the two, float64; 1 where a side has nothing but zeros."""
    r1 = first.weight.detach().double().reshape(len(first.weight), -1).abs().amax(1)
    r2 = _grouped(second).detach().double().abs().amax((1, 3)).reshape(-1)
    return torch.where((r1 > 0) & (r2 > 0), (r1 / r2).sqrt(), torch.ones_like(r1))


@torch.no_grad()
def _scale(first: Layer, second: Layer, s: torch.Tensor) -> None:
    along = s.reshape(-1, *(1,) * (first.weight.dim() - 1))
    first.weight.copy_((first.weight.double() / along).to(first.weight.dtype))
    if first.bias is not None:
        first.bias.copy_((first.bias.double() / s).to(first.bias.dtype))
    whole = _grouped(second)
    whole.copy_((whole.double() * s.reshape(whole.shape[0], 1, -1, 1)).to(whole.dtype))
