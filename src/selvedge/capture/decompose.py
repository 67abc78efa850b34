"""torch's own decomposition of an operator that has no lowering, traced for the shapes at hand."""

from __future__ import annotations

import logging
import operator
import warnings
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any

import torch
from torch._decomp import decomposition_table
from torch.func import functionalize
from torch.fx.experimental.proxy_tensor import make_fx

from .lower import LOWERINGS

# Their decompositions draw numbers, look at values, or are no formula of the forward pass.
_OPAQUE = (
    "aten.bernoulli",
    "aten.rand",
    "aten.normal",
    "aten.multinomial",
    "aten.nonzero",
    "aten.item",
    "aten._local_",
)


def decomposed(
    target: torch._ops.OpOverload, args: Sequence[Any], kwargs: Mapping[str, Any]
) -> tuple[torch.fx.GraphModule, list[torch.fx.Node]] | None:
    """``target`` as a graph of other operators, and the nodes that are its tensors in order; None if torch has none.

    args, kwargs: as in the exported graph; of each node, ``meta["val"]`` is its fake tensor.
    """
    if str(target).startswith(_OPAQUE):
        return None
    nodes: list[torch.fx.Node] = []

    def place(node: torch.fx.Node) -> torch.fx.Node:
        nodes.append(node)
        return node

    torch.fx.node.map_arg((args, dict(kwargs)), place)
    nodes = list(dict.fromkeys(nodes))

    def call(*tensors: torch.Tensor) -> Any:
        values = dict(zip(nodes, tensors, strict=True))
        own, named = torch.fx.node.map_arg((args, dict(kwargs)), lambda n: values[n])
        return target(*own, **named)

    fakes = [node.meta["val"] for node in nodes]
    log = logging.getLogger("torch._subclasses.fake_tensor")
    disabled, log.disabled = log.disabled, True
    try:
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore")
            made = make_fx(call, decomposition_table=_table())(*fakes)
            if any(map(_mutates, made.graph.nodes)):
                made = make_fx(functionalize(made), decomposition_table=_table())(*fakes)
    except Exception:  # it looks at values, or is not implemented for what it is given
        return None
    finally:
        log.disabled = disabled
    if any(n.target is target or _mutates(n) for n in made.graph.nodes):
        return None
    return made, nodes


def is_decomposed(node: torch.fx.Node) -> bool:
    """Is the operator of ``node`` made of others that all have lowerings?"""
    found = decomposed(node.target, node.args, node.kwargs)  # type: ignore[arg-type]
    if found is None:
        return False
    calls = (n for n in found[0].graph.nodes if n.op == "call_function" and n.target is not operator.getitem)
    return all(str(n.target) in LOWERINGS or not n.all_input_nodes for n in calls)


def _mutates(node: torch.fx.Node) -> bool:
    schema = getattr(node.target, "_schema", None)
    return node.op == "call_function" and schema is not None and bool(schema.is_mutable)


@cache
def _table() -> dict[torch._ops.OpOverload, Callable[..., Any]]:
    """torch's decompositions of what has no lowering."""
    return {
        op: row
        for op, row in decomposition_table.items()
        if isinstance(op, torch._ops.OpOverload) and str(op) not in LOWERINGS
    }
