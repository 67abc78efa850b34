"""Structural checks of a graph, apart from whatever built it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from .graph import LEAVES, Graph, Node, Spec, Value
from .op import TABLE

_FIELDS: Mapping[str, tuple[str, ...]] = {
    "input": ("name",),
    "state": ("name", "kind", "layout"),
    "constant": ("value",),
}
KINDS = ("parameter", "buffer", "optimizer", "accumulator")


def verify(graph: Graph) -> None:
    """Raise ``ValueError`` with the first of :func:`problems`, if there is one."""
    found = problems(graph)
    if found:
        raise ValueError(f"broken graph: {found[0]}" + (f" (and {len(found) - 1} more)" if found[1:] else ""))


def problems(graph: Graph) -> list[str]:
    """Everything that is wrong with ``graph``, one line each; nothing when it is sound.

    Leaves are complete and are the ones the graph names; every value is a result of its node; every node reads
    nodes before it; specs are what the op table infers; a new value has the spec of the state it replaces; the
    update of a parameter reads the parameter and the data, or the gradients accumulated of it; optimiser state is
    always updated.
    """
    nodes = graph.nodes()
    found: list[str] = []
    done: set[Node] = set()
    for node in nodes:
        found += [f"{node!r} reads {v.node!r}, which comes after it" for v in node.inputs if v.node not in done]
        found += _leaf(node) if node.op in LEAVES else _operation(node)
        found += [line for spec in node.specs for line in _quant(repr(node), spec)]
        done.add(node)
    if not graph.outputs:
        found.append("it has no outputs")
    for name, value in graph.outputs.items():
        found += _dangling(f"output {name!r}", value)
    found += _named(graph, nodes)
    return found or _updates(graph, nodes)


def _leaf(node: Node) -> list[str]:
    missing = [f for f in _FIELDS[node.op] if f not in node.attrs]
    if missing:
        return [f"{node!r} has no attribute {', '.join(missing)}"]
    if node.inputs or len(node.specs) != 1:
        return [f"{node!r} is a leaf: it must have no inputs and one result"]
    if node.op == "state" and node.attrs["kind"] not in KINDS:
        return [f"state {node.attrs['name']!r} is of kind {node.attrs['kind']!r}; must be one of {', '.join(KINDS)}"]
    return _constant(node, node.attrs["value"]) if node.op == "constant" else []


def _constant(node: Node, value: Any) -> list[str]:
    spec = node.specs[0]
    if not isinstance(value, np.ndarray) or (value.shape, value.dtype.name) != (spec.shape, spec.dtype):
        return [f"{node!r} holds {type(value).__name__} {getattr(value, 'shape', '')}; must be an array of {spec}"]
    return ["a constant array is writeable"] if value.flags.writeable else []


def _quant(what: str, spec: Spec) -> list[str]:
    """Scales are of integers, as many as their axis has elements, and zero points are such integers."""
    quant = spec.quant
    if quant is None:
        return []
    if spec.dtype not in ("int8", "uint8", "int32"):
        return [f"{what} has a scale; only integers have one"]
    if quant.axis is not None and (not 0 <= quant.axis < len(spec.shape) or spec.shape[quant.axis] != len(quant.scale)):
        return [f"{what} has {len(quant.scale)} scales along axis {quant.axis} of {spec.shape}"]
    limits = np.iinfo(spec.dtype)
    odd = [z for z in quant.zero_point if not limits.min <= z <= limits.max]
    return [f"{what} has the zero point {odd[0]}, which is no {spec.dtype}"] if odd else []


def _operation(node: Node) -> list[str]:
    if node.op not in TABLE:
        return [f"{node!r}: op {node.op!r} is not in the table"]
    found = [line for value in node.inputs for line in _dangling(f"an input of {node!r}", value)]
    if found:
        return found
    try:
        specs = TABLE[node.op].infer([v.spec for v in node.inputs], node.attrs)
    except ValueError as error:
        return [f"{node!r}: {error}"]
    return [] if tuple(specs) == tuple(node.specs) else [f"{node!r} should give {', '.join(map(str, specs))}"]


def _dangling(what: str, value: Value) -> list[str]:
    if 0 <= value.index < len(value.node.specs):
        return []
    return [f"{what} is result {value.index} of {value.node!r}, which has {len(value.node.specs)}"]


def _named(graph: Graph, nodes: list[Node]) -> list[str]:
    """The named leaves and the leaves that are read are the same ones."""
    found = [f"{name!r} names both an input and state" for name in graph.inputs if name in graph.state]
    for op, named in (("input", graph.inputs), ("state", graph.state)):
        for name, value in named.items():
            if value.node.op != op or value.node.attrs.get("name") != name:
                found.append(f"{op} {name!r} is another leaf: {value.node!r}")
        listed = {value.node for value in named.values()}
        for node in nodes:
            if node.op == op and node not in listed:
                found.append(f"{op} leaf {node.attrs.get('name')!r} is read but not named by the graph")
    return found


def _updates(graph: Graph, nodes: list[Node]) -> list[str]:
    bits = {value.node: 1 << i for i, value in enumerate(graph.state.values(), start=1)}
    reads: dict[Node, int] = {}
    for node in nodes:
        data = int(node.op == "input" and node.attrs["name"] != "lr")
        if node.op == "state" and node.attrs["kind"] == "accumulator":
            data = 1
        reads[node] = bits.get(node, 0) | data
        for value in node.inputs:
            reads[node] |= reads[value.node]
    found = []
    for name, new in graph.updates.items():
        old = graph.state[name]
        if new.spec != old.spec:
            found.append(f"the new value of {name!r} is {new.spec}; must be {old.spec}")
        if old.node.attrs["kind"] == "parameter" and not reads[new.node] & bits[old.node]:
            found.append(f"the new value of {name!r} does not depend on its old value")
        if old.node.attrs["kind"] == "parameter" and not reads[new.node] & 1:
            found.append(f"the new value of {name!r} depends on no input: its gradient was lost")
    stale = [n for n, v in graph.state.items() if v.node.attrs["kind"] == "optimizer" and n not in graph.updates]
    return found + [f"optimizer state {name!r} is never updated" for name in stale]
