"""A graph as an ONNX model: int8 rows as QDQ, float rows as the operator of the same meaning."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
import onnx
from onnx import helper

from selvedge.errors import InvalidInput, NotSupported
from selvedge.ir import Graph, Node, Spec

from .sheet import Sheet
from .write_float import FLOAT
from .write_integer import INTEGER
from .write_moves import MOVES

OPSET, IR_VERSION = 17, 8
RULES: Mapping[str, Callable[[Sheet, Node], Any]] = MappingProxyType({**INTEGER, **MOVES, **FLOAT})
"""Row -> how it is written."""

# protobuf's own limit of one message, less room for what is not weights.
MOST_BYTES = 2**31 - 2**24


def written(graph: Graph, name: str) -> onnx.ModelProto:
    """``graph`` as an ONNX model of opset 17, inputs and outputs as they are there.

    Raises :class:`NotSupported` for a row that ONNX has no operator for, or state, and :class:`InvalidInput` for
    weights of 2 GB.
    """
    for state in graph.state:
        raise NotSupported(f"state {state!r}", "the graph", "freeze it to a constant: what is written only predicts")
    sheet = Sheet()
    for port, value in graph.inputs.items():
        sheet.put(value, port)
    for node in graph.nodes():
        if node.op in ("input", "constant"):
            continue
        rule = RULES.get(node.op)
        if rule is None:
            raise NotSupported(f"{node.op} in ONNX", node.where, f"the rows are {', '.join(sorted(RULES))}")
        rule(sheet, node)
    _named(sheet, graph)
    size = sum(len(c.raw_data) for c in sheet.constants.values())
    if size > MOST_BYTES:
        raise InvalidInput("weights", f"{size:,} B", "an ONNX file holds less than 2 GB")
    made = helper.make_graph(
        sheet.nodes,
        name,
        [_port(port, value.spec) for port, value in graph.inputs.items()],
        [_port(port, value.spec) for port, value in graph.outputs.items()],
        list(sheet.constants.values()),
    )
    opset = helper.make_opsetid("", OPSET)
    return helper.make_model(made, opset_imports=[opset], ir_version=IR_VERSION, producer_name="selvedge")


def _port(name: str, spec: Spec) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(np.dtype(spec.dtype)), spec.shape)


def _named(sheet: Sheet, graph: Graph) -> None:
    """Results get the names of the outputs. One that is an input, a constant or another output too is copied."""
    made = {node.output[0]: node for node in sheet.nodes}
    names: dict[str, str] = {}
    for port, value in graph.outputs.items():
        lies = sheet.tensor(value)
        made.update((node.output[0], node) for node in sheet.nodes)
        if lies in made and lies not in names:
            names[lies] = port
        else:
            sheet.nodes.append(helper.make_node("Identity", [lies], [port], name=f"copy_{port}"))
    for node in sheet.nodes:
        node.input[:] = [names.get(name, name) for name in node.input]
        node.output[:] = [names.get(name, name) for name in node.output]
