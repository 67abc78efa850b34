"""The scales that a model's weights are going to have: rounding and bias correction work on the same steps."""

from __future__ import annotations

import torch
from torch import nn

from .export import Inputs, exported
from .layers import constant, weighted
from .litert import FLOAT, WIDTHS, Wanted
from .ranges import weight_scale


def scales(model: nn.Module, example: Inputs, wanted: Wanted, method: str) -> dict[str, torch.Tensor]:
    """Layer -> [output channels] (or [1]), of every layer that is not to stay float; norms are folded."""
    graph = exported(model, example)
    found = {}
    for name, node in weighted(graph.graph):
        if wanted.of(name) in WIDTHS and name not in found:
            weight = constant(graph, node.args[1]).detach()
            rows = weight.reshape(1, -1) if wanted.per_tensor else weight
            found[name] = weight_scale(rows, WIDTHS[wanted.of(name)], method)
        elif wanted.of(name) != FLOAT:
            wanted.check([name], {name})
    return found


def stepped(weight: torch.Tensor, scale: torch.Tensor, bits: int) -> torch.Tensor:
    """``weight`` [O, ...] rounded to the steps of its scale, in float."""
    along = scale.reshape(-1, *(1,) * (weight.dim() - 1))
    most = WIDTHS[bits]
    return (weight / along).round().clamp(-most, most) * along
