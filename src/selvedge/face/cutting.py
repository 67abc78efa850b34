"""Where a network can be cut in two: the single tensors that everything behind them is computed from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .. import ir
from ..make.network import Network


@dataclass(frozen=True, slots=True)
class Place:
    """``value``: the tensor that crosses. ``layer``: the last layer before it. ``macs``: of all that is before it."""

    value: ir.Value
    layer: str
    macs: int


def places(network: Network, names: Sequence[str]) -> tuple[list[Place], int]:
    """(the cuts in order, multiply-accumulates of all): of those between two layers the smallest tensor, the last among
    equals, since what is elementwise costs next to nothing. ``names``: of the rows with multiply-accumulates in their
    order, or of another length where they are not known. A cut is a value that every path from an input to an output
    goes through, as of a chain of residual blocks those between the blocks. Within one layer, as between the steps of a
    recurrent one, there is none: only its last counts."""
    graph = ir.simplified(network.graph)
    nodes = [node for node in graph.nodes() if node.op != "constant"]
    readers = ir.consumers(nodes)
    left = {value: len(found) for value, found in readers.items()}
    kept = set(graph.outputs.values())
    computed = {value for value in graph.inputs.values() if left.get(value)}
    costs = {node: _macs(node) for node in nodes}
    layers = sum(1 for macs in costs.values() if macs)
    live, done, passed = set(computed), 0, 0
    found: dict[int, Place] = {}
    name = ""
    for node in nodes:
        if node.op == "input" or not any(v in computed for v in node.inputs):
            continue
        if costs[node]:
            done, passed = done + costs[node], passed + 1
            name = names[passed - 1] if len(names) == layers else f"{node.op} {passed}"
        made = [ir.Value(node, i) for i in range(len(node.specs))]
        computed.update(made)
        live.update(v for v in made if left.get(v) or v in kept)
        for value in dict.fromkeys(node.inputs):
            left[value] -= 1
            if not left[value] and value not in kept:
                live.discard(value)
        if len(live) == 1 and passed:
            value = next(iter(live))
            if passed not in found or value.spec.bytes <= found[passed].value.spec.bytes:
                found[passed] = Place(value, name, done)
    last = {place.layer: place for place in found.values()}
    return [place for place in found.values() if 0 < place.macs < done and place is last[place.layer]], done


def before(network: Network, place: Place) -> Network:
    """The part of ``network`` whose output crosses at ``place``."""
    graph = ir.Graph(network.graph.inputs, {}, {"output": place.value})
    layouts = {name: layout for name, layout in network.layouts.items() if name in network.graph.inputs}
    return Network(graph, network.name, layouts)


def layer_names(graph: ir.Graph, owner: dict[str, str]) -> list[str]:
    """Of the rows with multiply-accumulates in ``graph``, whose state is still named: the layer that owns theirs."""
    named: list[str] = []
    of: dict[ir.Node, str] = {}
    for node in graph.nodes():
        if node.op == "state":
            of[node] = owner.get(str(node.attrs["name"]), "")
        elif node.op not in ("constant", "input"):
            own = next((of[v.node] for v in node.inputs if of.get(v.node) and v.node.op == "state"), "")
            below = next((of[v.node] for v in node.inputs if of.get(v.node)), "")
            of[node] = own or below
            if _macs(node):
                named.append(of[node] or f"{node.op} {len(named) + 1}")
    return named


def _macs(node: ir.Node) -> int:
    if node.op in ir.LEAVES:
        return 0
    return ir.TABLE[node.op].cost([v.spec for v in node.inputs], node.specs, node.attrs).macs
