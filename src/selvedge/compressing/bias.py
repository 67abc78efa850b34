"""Empirical bias correction: nn.Module -> nn.Module.

Rounding a weight moves the mean of its layer's output, E[W' x] - E[W x], which the bias can take back (Nagel et al.,
arXiv:1906.04721, section 4.2 and appendix D; Finkelstein et al., arXiv:1906.03193). Layers are corrected in their
order, so that each is measured behind those that are correct already.
"""

from __future__ import annotations

import copy

import torch
from torch import nn

from .equalise import channels_last
from .export import Inputs
from .fold import Layer, layer_modules
from .litert import Wanted
from .scales import stepped


def corrected(model: nn.Module, data: list[Inputs], wanted: Wanted) -> nn.Module:
    """A copy of ``model`` (norms folded, eval mode) with biases that make up for the rounding of its weights.

    ``wanted.scales``: the steps of each layer's weight. A layer without a bias gets one.
    """
    example = tuple(x[:2] for x in data[0])
    made, rough = copy.deepcopy(model), copy.deepcopy(model)
    original = layer_modules(model, example)
    modules, rounded = layer_modules(made, example), layer_modules(rough, example)
    with torch.no_grad():
        for name, scale in wanted.scales.items():
            if name in rounded:
                rounded[name].weight.copy_(stepped(rounded[name].weight, scale, wanted.of(name)))
        names = [name for name in rounded if name in wanted.scales]
        right = means(model, {name: original[name] for name in names}, data)
        for name in names:
            off = means(rough, {name: rounded[name]}, data)[name] - right[name]
            for module in (modules[name], rounded[name]):
                before = torch.zeros_like(off) if module.bias is None else module.bias.double()
                module.bias = nn.Parameter((before - off).to(module.weight.dtype))
    return made


def means(model: nn.Module, layers: dict[str, Layer], data: list[Inputs]) -> dict[str, torch.Tensor]:
    """Layer -> the mean of each output channel over samples and places, float64."""
    sums: dict[str, torch.Tensor] = {}
    counts = dict.fromkeys(layers, 0)

    def watch(name: str, module: Layer) -> torch.utils.hooks.RemovableHandle:
        def hook(_module: nn.Module, _given: object, out: torch.Tensor) -> None:
            rows = channels_last(module, out).reshape(-1, len(module.weight)).double()
            sums[name] = sums.get(name, torch.zeros(rows.shape[1], dtype=torch.float64)) + rows.sum(0)
            counts[name] += len(rows)

        return module.register_forward_hook(hook)

    handles = [watch(name, module) for name, module in layers.items()]
    try:
        for batch in data:
            model(*batch)
    finally:
        for handle in handles:
            handle.remove()
    return {name: total / counts[name] for name, total in sums.items()}
