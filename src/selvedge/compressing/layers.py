"""Which nodes of an exported graph are one layer, and what its name is: a convolution with the norm and the activation
behind it is one, as it is one kernel on a device."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch.fx import Graph, GraphModule, Node

from .operators import DROPOUTS, FUSES, NORMS, WEIGHTED, clips

KEY = "selvedge.layer"


def mark(graph: Graph) -> None:
    """Write the name of its layer on every node that computes a float tensor of the input."""
    live = _live(graph)
    taken: dict[str, int] = {}
    for node in graph.nodes:
        if node not in live or KEY in node.meta or node.op != "call_function" or not is_float(node):
            continue
        name = _name(node)
        if node.target not in WEIGHTED and name in taken:  # a module that computes several things
            name = f"{name}.{node.name}"
        elif node.target in WEIGHTED and name in taken:  # one that is called again
            name = f"{name}#{taken[name] + 1}"
        taken[name.partition("#")[0]] = taken.get(name.partition("#")[0], 0) + 1
        for part in chain(node):
            part.meta[KEY] = name


def chain(node: Node) -> tuple[Any, ...]:
    """``node`` and what is one kernel with it: the norm behind a weight's layer, then a fused activation."""
    made = [node]
    if node.target in WEIGHTED:
        norm = _only_user(made[-1])
        if norm is not None and norm.target in NORMS and norm.args[0] is made[-1]:
            made.append(norm)
    if node.target in FUSES:
        clip = _only_user(made[-1])
        if clip is not None and clips(clip):
            made.append(clip)
    return tuple(made)


def ends(graph: Graph) -> dict[str, Node]:
    """Layer -> the last node of it, in order of execution; dropout and other things without a sum are left out."""
    found: dict[str, Node] = {}
    for node in graph.nodes:
        if KEY in node.meta and node.target not in DROPOUTS and not _is_quantiser(node) and node.op == "call_function":
            found.pop(node.meta[KEY], None)
            found[node.meta[KEY]] = node
    return found


def weighted(graph: Graph) -> Iterator[tuple[str, Any]]:
    """(layer, node) of everything with a weight; the node untyped, as its arguments are of any kind to torch."""
    for node in graph.nodes:
        if node.op == "call_function" and node.target in WEIGHTED and KEY in node.meta:
            yield node.meta[KEY], node


def is_float(node: Node) -> bool:
    """Whether ``node`` is a float tensor, or several."""
    value = node.meta.get("val")
    if isinstance(value, list | tuple):
        value = value[0] if value else None
    return isinstance(value, torch.Tensor) and value.dtype.is_floating_point


def constant(module: GraphModule, node: Node) -> torch.Tensor:
    """The tensor that a ``get_attr`` node reads."""
    found: torch.nn.Module | torch.Tensor = module
    for part in str(node.target).split("."):
        found = getattr(found, part)
    assert isinstance(found, torch.Tensor)
    return found


def _is_quantiser(node: Node) -> bool:
    return str(node.target).startswith("quantized_decomposed.")


def _live(graph: Graph) -> set[Node]:
    """What is computed of the model's inputs."""
    found: set[Node] = set()
    for node in graph.nodes:
        if node.op == "placeholder" or any(i in found for i in node.all_input_nodes):
            found.add(node)
    return found


def _name(node: Node) -> str:
    """The module's path where it has one of its own, else that of its weight, else the node's name."""
    if node.target in WEIGHTED:
        weight = node.args[1]
        if isinstance(weight, Node) and weight.op == "get_attr":
            return str(weight.target).removesuffix(".weight")
    stack = list((node.meta.get("nn_module_stack") or {}).values())
    path = str(stack[-1][0]) if stack else ""
    kind = str(stack[-1][1]) if stack else ""
    return path if path and "torch.nn.modules" in kind and "container" not in kind else node.name


def _only_user(node: Node) -> Node | None:
    users = list(node.users)
    return users[0] if len(users) == 1 else None
