"""How far a network's own answer moves when every int8 layer of it is off as often as a runtime's was, fed the same:
rounding alone, of as many layers as there are, and nothing else that a runtime may do."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

import selvedge as sv
from selvedge import ir
from selvedge.ir.ops.integer_convolution import known

from ..targets_real.layers import LAYERS, alone


def rounded(network: sv.Network, x: np.ndarray, rates: Sequence[float], draw: np.random.Generator) -> np.ndarray:
    """int8, the answer to ``x``, as the network stores it, where of each layer's values so many are a step up or down.
    rates: of the layers in the network's order, each the share of values that were off."""
    graph = network.graph
    (leaf,) = graph.inputs.values()
    (end,) = graph.outputs.values()
    values: dict[ir.Value, np.ndarray] = {leaf: x}
    left = iter(rates)
    for node in graph.nodes():
        value = ir.Value(node)
        if not node.inputs or known(value) is not None:
            continue
        one, given = alone(node)
        made = ir.interpret(one.graph, dict(zip(one.graph.inputs, (values[v] for v in given), strict=True)), {})
        found = made["output"]
        if node.op in LAYERS:
            off = (draw.random(found.shape) < next(left)) * draw.choice((-1, 1), found.shape)
            low, high = np.iinfo(found.dtype).min, np.iinfo(found.dtype).max
            found = np.clip(found.astype(np.int64) + off, low, high).astype(found.dtype)
        values[value] = found
    return values[end]
