"""Graphs -> one Relax module, a function a program."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tvm import relax

from selvedge.ir import Graph
from selvedge.ir.expand import in_rows

from .sheet import Sheet
from .table import LACKS, ROWS


def module(graphs: Mapping[str, Graph]) -> Any:
    """An IRModule. Program NAME is the function ``sv_NAME``: it takes the graph's inputs, then its state, and gives a
    tuple in the order of its outputs; arrays are stored as the graph has them.

    Raises :class:`NotSupported` for a row without a tensor expression.
    """
    builder = relax.BlockBuilder()
    for name, graph in graphs.items():
        _function(builder, f"sv_{name}", in_rows(graph, ROWS, LACKS, "TVM"))
    return builder.get()


def _function(builder: Any, name: str, graph: Graph) -> None:
    leaves = {**graph.inputs, **graph.state}
    variables = {n: relax.Var(_plain(n), relax.TensorType(v.shape, v.dtype)) for n, v in leaves.items()}
    with builder.function(name, list(variables.values())):
        with builder.dataflow():
            sheet = Sheet(builder, {v: variables[n] for n, v in leaves.items()})
            for node in graph.nodes():
                if node.inputs:
                    ROWS[node.op](sheet, node)
            results = [sheet.of(value) for value in graph.outputs.values()]
            made = builder.emit_output(relax.Tuple(results))
        builder.emit_func_output(made)


def _plain(name: str) -> str:
    """A C identifier: TVM writes it into its C as it is."""
    return "v_" + "".join(c if c.isalnum() else "_" for c in name)
