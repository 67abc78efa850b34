"""What a published table counts: parameters, and multiply-accumulates of convolutions, linear layers and cells."""

from __future__ import annotations

from functools import cache

import torch
from torch import nn

from selvedge import zoo


def made(spec: str) -> tuple[nn.Module, torch.Tensor]:
    """A module of the zoo and its example, as shapes alone: no weight is drawn."""
    with torch.device("meta"):
        module, example, _ = zoo.make(spec)
    return module.eval(), example


def parameters(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


@cache
def figures(spec: str) -> tuple[int, int]:
    """Parameters, and multiply-accumulates of one pass of the example."""
    module, example = made(spec)
    return parameters(module), macs(module, example)


def macs(module: nn.Module, example: torch.Tensor) -> int:
    """Of one pass of ``example``, on shapes alone (the meta device)."""
    total = 0

    def count(part: nn.Module, inputs: tuple[torch.Tensor, ...], output: torch.Tensor) -> None:
        nonlocal total
        if isinstance(part, nn.GRU | nn.LSTM):
            steps = inputs[0].shape[0] * inputs[0].shape[1]
            total += steps * sum(w.numel() for name, w in part.named_parameters() if name.startswith("weight"))
        else:
            each = part.in_features if isinstance(part, nn.Linear) else part.weight[0].numel()
            total += output.numel() * each

    kinds = nn.Conv1d | nn.Conv2d | nn.Linear | nn.GRU | nn.LSTM
    hooks = [m.register_forward_hook(count) for m in module.modules() if isinstance(m, kinds)]
    with torch.no_grad():
        module.eval().to("meta")(example.to("meta"))
    for hook in hooks:
        hook.remove()
    return total
