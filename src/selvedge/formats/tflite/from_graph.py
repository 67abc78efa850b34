"""A graph as the operators of a ``.tflite`` file: the inverse of :mod:`.graph`, and the lowering table of LiteRT.

A row of the op table is a rule here, int8 or float, forward or backward: one rule a row, in one of the ``write_``
modules by family. What has no rule is refused with the user's line.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from selvedge.errors import InvalidInput, NotSupported
from selvedge.ir import Graph, Value, consumers

from ..lifted import lifted
from . import (
    write_curves,
    write_gradients,
    write_int8,
    write_layers,
    write_losses,
    write_moves,
    write_pointwise,
    write_pools,
    write_rows,
)
from .fused import fused
from .model import Model
from .writing import Rule, Writing

ROWS: Mapping[str, Rule] = MappingProxyType(
    {
        **write_int8.RULES,
        **write_layers.RULES,
        **write_gradients.RULES,
        **write_pools.RULES,
        **write_losses.RULES,
        **write_rows.RULES,
        **write_moves.RULES,
        **write_pointwise.RULES,
        **write_curves.RULES,
    }
)
"""Op name -> how it is written."""


def model(graph: Graph) -> Model:
    """``graph``, whose weights are constants, as it would be read from a file: inputs and outputs in its order, NHWC.

    Raises :class:`NotSupported` for a row that no operator computes so, with the user's line.
    """
    if graph.state:
        raise InvalidInput("network", f"with state {next(iter(graph.state))}", "freeze it first: see selvedge.network")
    graph = lifted(graph)
    writing = begun(graph)
    written(writing, graph)
    outputs = [writing.places.get(v) for v in graph.outputs.values()]
    made = [o.outputs[0] for o in writing.operators]
    if len(set(outputs)) < len(outputs) or not set(outputs) <= set(made):
        raise InvalidInput("network outputs", ", ".join(graph.outputs), "each must be a result of its own")
    inputs = tuple(writing.places[v] for v in graph.inputs.values())
    return Model(tuple(writing.tensors), tuple(writing.operators), inputs, tuple(i for i in outputs if i is not None))


def begun(graph: Graph) -> Writing:
    """With the inputs of ``graph`` as tensors, and nothing else."""
    read = {*consumers(graph.nodes()), *graph.outputs.values()}
    writing = Writing({v: name for name, v in graph.results.items()}, fused(graph), read)
    for name, leaf in graph.inputs.items():
        writing.places[leaf] = writing.tensor(name, leaf.spec)
    return writing


def written(writing: Writing, graph: Graph) -> None:
    """Every node of ``graph`` whose value is not there yet."""
    for node in graph.nodes():
        if node in writing.fused.flat or node in writing.fused.inside or not node.inputs:
            continue
        chain = writing.fused.lasts.get(node)
        head = node if chain is None else chain.head
        if head.op not in ROWS or any(spec.dtype == "float64" for spec in node.specs):
            what = head.op if head.op not in ROWS else f"{head.op} of float64"
            raise NotSupported(f"{what} in a .tflite file", head.where, REASONS.get(head.op, "give it float32"))
        made = ROWS[head.op](writing, head)
        for index, place in enumerate(made if isinstance(made, tuple) else (made,)):
            writing.places[Value(node, index)] = place


_NATIVE = "run this model by our own code: target c"
REASONS: Mapping[str, str] = MappingProxyType(
    {
        **dict.fromkeys(
            ("gru", "gru_grad", "lstm", "lstm_grad", "rnn", "rnn_grad"),
            f"a sequence would be some forty operators a step: {_NATIVE}",
        ),
        **dict.fromkeys(
            ("acos", "acosh", "asin", "asinh", "atan", "atanh", "cosh", "erfc", "expm1", "log1p", "sinh"),
            f"no operators of LiteRT compute it to the precision of float32: {_NATIVE}",
        ),
        **dict.fromkeys(
            ("to_bfloat16", "from_bfloat16", "quantize", "dequantize", "quantize_channels", "quantize_square",
             "dequantize_square"),
            "LiteRT has no such rounding: leave out state_dtype",
        ),
        **dict.fromkeys(
            ("masked_grad", "pack_mask", "sparse_conv2d", "sparse_matmul"), "it is a kernel of our own: give the graph"
        ),
        "ctc": f"LiteRT has no such loss: {_NATIVE}",
        "dropout": "LiteRT has no integers of 32 bits without sign to hash: plan without dropout",
    }
)  # fmt: skip
"""Op name -> why it has no rule, and what to do: every row of the op table has the one or the other."""
