"""Every int8 layer of a network alone in a runtime, fed the tensors that our meaning of the network has before it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

import selvedge as sv
from selvedge import ir
from selvedge.errors import SelvedgeError, one_line
from selvedge.ir.ops.integer_convolution import known

LAYERS = ("int8_conv2d", "int8_linear", "int8_add", "int8_average_pool", "int8_max_pool", "int8_softmax")


def stepwise(network: sv.Network, inputs: Sequence[np.ndarray], target: str, folder: Path) -> dict[str, Any]:
    """{"layers": how many, "worst": the most int8 steps that a value is off ours, "values", "off": how many of them
    are, "rates": of each layer that share, in the network's order, "kinds": by row, their worst, "refused": rows that
    the target does not take -> its error}. inputs: as the network stores them."""
    graph = network.graph
    nodes = [n for n in graph.nodes() if n.op in LAYERS]
    every = ir.Graph(graph.inputs, {}, {str(i): ir.Value(n) for i, n in enumerate(graph.nodes()) if n.inputs})
    told = []
    for x in inputs:
        arrays = ir.interpret(every, {"x": x}, {})
        told.append({**{v: arrays[name] for name, v in every.outputs.items()}, graph.inputs["x"]: x})
    worst: dict[str, int] = {}
    refused: dict[str, str] = {}
    values = off = 0
    rates: list[float] = []
    for number, node in enumerate(nodes):
        one, given = alone(node)
        try:
            session = sv.load(sv.emit(sv.plan_inference(one), target, folder / str(number)))
        except SelvedgeError as error:
            refused[node.op] = one_line(str(error))[:300]
            rates.append(0.0)
            continue
        before = values, off
        for held in told:
            arrays = tuple(held[v] for v in given)
            got = session.predict(arrays if len(arrays) > 1 else arrays[0])
            away = np.abs(got.astype(int) - held[ir.Value(node)])
            worst[node.op] = max(worst.get(node.op, 0), int(away.max()))
            values, off = values + away.size, off + int(np.count_nonzero(away))
        rates.append((off - before[1]) / (values - before[0]))
    return {
        "layers": len(nodes), "worst": max(worst.values()), "values": values, "off": off, "rates": rates,
        "kinds": worst, "refused": refused,
    }  # fmt: skip


def alone(node: ir.Node) -> tuple[sv.Network, list[ir.Value]]:
    """``node`` as a network, and what its inputs are in the graph that it is cut out of."""
    now: list[ir.Value] = []
    leaves: dict[str, ir.Value] = {}
    given: list[ir.Value] = []
    for value in node.inputs:
        if known(value) is None:
            name = f"x{len(leaves) or ''}"
            leaves[name] = ir.input_leaf(name, value.spec)
            now.append(leaves[name])
            given.append(value)
        else:
            now.append(value)
    made = ir.Node(node.op, tuple(now), node.specs, node.attrs, node.where)
    return sv.Network(ir.Graph(leaves, {}, {"output": ir.Value(made)}), "layer"), given
