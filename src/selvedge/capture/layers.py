"""The layers of an exported graph, in order of execution.

A layer is a module that owns parameters. A norm that reads a convolution's or linear layer's result directly belongs
to that layer: what "last:K" counts is then the same whether norms are frozen or folded.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import torch

_NORMS = (
    "aten.batch_norm.",
    "aten._native_batch_norm_legit_no_training.",
    "aten.group_norm.",
    "aten.layer_norm.",
    "aten.native_layer_norm.",
    "aten.instance_norm.",
)
_PRODUCTS = ("aten.conv", "aten.linear.", "aten.addmm.", "aten.mm.")


@dataclass(frozen=True, slots=True)
class Layer:
    """``name``: the module's path (or the parameter's, at the root). ``names``: the state names it owns."""

    name: str
    names: tuple[str, ...]


def layers(graph: torch.fx.Graph, names: Mapping[str, str], kept: Collection[str]) -> tuple[Layer, ...]:
    """names: placeholder -> state name, of the parameters. kept: the state names to list."""
    owned: dict[str, list[str]] = {}
    home: dict[str, str] = {}
    made: dict[torch.fx.Node, str] = {}
    for node in graph.nodes:
        read = [names[n.name] for n in node.all_input_nodes if n.name in names]
        for name in read:
            module = name.rpartition(".")[0] or name
            behind = made.get(node.args[0]) if str(node.target).startswith(_NORMS) else None
            layer = home.setdefault(module, behind or module)
            entries = owned.setdefault(layer, [])
            if not any(name in others for others in owned.values()):
                entries.append(name)
            if str(node.target).startswith(_PRODUCTS):
                made[node] = layer
    listed = {layer: tuple(n for n in entries if n in kept) for layer, entries in owned.items()}
    return tuple(Layer(layer, entries) for layer, entries in listed.items() if entries)
