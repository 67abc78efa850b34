"""Batch norm into the layer before it: nn.Module -> nn.Module, the same function in eval mode.

With s = gamma / sqrt(var + eps) the weight is w * s along the output channels and the bias (b - mean) * s + beta
(Jacob et al., arXiv:1712.05877, section 3.2). The norm's place holds an identity.
"""

from __future__ import annotations

import copy

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from .export import Inputs, exported
from .layers import chain, weighted
from .operators import NORMS

Layer = nn.Conv1d | nn.Conv2d | nn.Linear


def folded(model: nn.Module, example: Inputs) -> nn.Module:
    """A copy of ``model`` in eval mode without the norms that stand right behind a convolution or linear layer."""
    made = copy.deepcopy(model).eval()
    graph = exported(made, example).graph
    uses: dict[str, int] = {}
    for node in graph.nodes:
        for source in node.all_input_nodes:
            if source.op == "get_attr":
                uses[str(source.target)] = uses.get(str(source.target), 0) + 1
    for name, node in weighted(graph):
        parts = chain(node)
        if len(parts) < 2 or parts[1].target not in NORMS:
            continue
        path = str(parts[1].args[3].target).removesuffix(".running_mean") if parts[1].args[3] is not None else ""
        layer, norm = _module(made, name), _module(made, path)
        if isinstance(layer, Layer) and isinstance(norm, _BatchNorm) and uses[f"{name}.weight"] == 1:
            _fold(layer, norm)
            parent, _, last = path.rpartition(".")
            setattr(made.get_submodule(parent), last, nn.Identity())
    return made


def layer_modules(model: nn.Module, example: Inputs) -> dict[str, Layer]:
    """Layer -> its module, in order of execution; of layers whose weight is a module's own and used once."""
    names = [name for name, _ in weighted(exported(model, example).graph)]
    found = {name: _module(model, name) for name in names if f"{name}#2" not in names and "#" not in name}
    return {name: module for name, module in found.items() if isinstance(module, Layer)}


def _module(model: nn.Module, path: str) -> nn.Module | None:
    try:
        return model.get_submodule(path)
    except AttributeError:
        return None


@torch.no_grad()
def _fold(layer: Layer, norm: _BatchNorm) -> None:
    assert norm.running_mean is not None
    assert norm.running_var is not None
    scale = (norm.running_var.double() + norm.eps).rsqrt()
    if norm.weight is not None:
        scale = scale * norm.weight.double()
    before = torch.zeros_like(scale) if layer.bias is None else layer.bias.double()
    shift = (before - norm.running_mean.double()) * scale
    if norm.bias is not None:
        shift = shift + norm.bias.double()
    along = scale.reshape(-1, *(1,) * (layer.weight.dim() - 1))
    layer.weight.copy_((layer.weight.double() * along).to(layer.weight.dtype))
    layer.bias = nn.Parameter(shift.to(layer.weight.dtype))
