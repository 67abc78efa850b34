"""Which batch norms can be folded, and into which layer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import torch

from ..artifact.folding import Fold

Folds = dict[torch.fx.Node, tuple[torch.fx.Node, Fold]]
_LAYERS = (
    "aten.conv2d.default",
    "aten.conv2d.padding",
    "aten.conv1d.default",
    "aten.conv1d.padding",
    "aten.convolution.default",
    "aten.linear.default",
)
_NORMS = {"aten.batch_norm.default": 7, "aten._native_batch_norm_legit_no_training.default": 6}


def find(graph: torch.fx.Graph, names: Mapping[str, str]) -> Folds:
    """Layer node -> the batch norm node behind it and the fold, wherever no tensor involved is used elsewhere.

    names: placeholder -> state name.
    """
    uses = Counter(names[n.name] for node in graph.nodes for n in node.all_input_nodes if n.name in names)
    folds: Folds = {}
    for norm in graph.nodes:
        layer = norm.args[0] if str(norm.target) in _NORMS else None
        if not isinstance(layer, torch.fx.Node) or str(layer.target) not in _LAYERS or len(layer.users) > 1:
            continue
        if str(layer.target) == "aten.convolution.default" and layer.args[6]:
            continue  # transposed: its weight has the output channels second
        bias = layer.args[2] if len(layer.args) > 2 else layer.kwargs.get("bias")
        held = [_name(part, names) for part in (layer.args[1], bias, *norm.args[1:5])]
        own = [name for name in held if name is not None]
        flat = layer.target is not torch.ops.aten.linear.default or len(layer.meta["val"].shape) == 2
        weight, bias, gamma, beta, mean, var = held
        if flat and weight and mean and var and all(own) and all(uses[name] == 1 for name in own):
            folds[layer] = (norm, Fold(weight, bias, gamma, beta, mean, var, norm.args[_NORMS[str(norm.target)]]))
    return folds


def norms(graph: torch.fx.Graph) -> int:
    """How many batch norms ``graph`` has."""
    return sum(str(node.target) in _NORMS for node in graph.nodes)


def _name(part: object, names: Mapping[str, str]) -> str | None:
    """The state name of an argument; None for an argument left out, "" for anything computed."""
    if part is None:
        return None
    return names.get(part.name, "") if isinstance(part, torch.fx.Node) else ""
