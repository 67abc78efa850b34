"""ONNX Runtime as an oracle: one thread of its CPU provider, int8 kept int8."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from selvedge import ir
from selvedge.formats.onnx import written
from selvedge.ir.ops.integer_convolution import known


def session(model: onnx.ModelProto, optimised: Path | None = None) -> Any:
    """``optimised``: where the graph goes that its optimiser made. On x64 it would make inner activations uint8, with
    the operators at int8 borders left in float: ``qdqisint8allowed`` keeps all int8."""
    onnxruntime = pytest.importorskip("onnxruntime")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    options.add_session_config_entry("session.qdqisint8allowed", "1")
    if optimised is not None:
        options.optimized_model_filepath = str(optimised)
    return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


def run(model: onnx.ModelProto, arrays: Mapping[str, np.ndarray]) -> list[np.ndarray]:
    made: list[np.ndarray] = session(model).run(None, dict(arrays))
    return made


def kernels(model: onnx.ModelProto, folder: Path) -> Counter[str]:
    """How many of each operator it really runs."""
    session(model, folder / "optimised.onnx")
    return Counter(node.op_type for node in onnx.load(folder / "optimised.onnx").graph.node)


def layers(graph: ir.Graph) -> list[ir.Node]:
    """The nodes that compute something of the inputs."""
    return [n for n in graph.nodes() if n.inputs and not all(known(v) is not None for v in n.inputs)]


def alone(node: ir.Node) -> tuple[onnx.ModelProto, dict[str, ir.Value]]:
    """``node`` as a model of one layer, and what its inputs are of the graph that it is cut out of."""
    leaves, now = {}, []
    for value in node.inputs:
        if known(value) is None:
            name = f"x{len(leaves)}"
            leaves[name] = (ir.input_leaf(name, value.spec), value)
            now.append(leaves[name][0])
        else:
            now.append(value)
    made = ir.Node(node.op, tuple(now), node.specs, node.attrs, node.where)
    graph = ir.Graph({name: leaf for name, (leaf, _) in leaves.items()}, {}, {"output": ir.Value(made)})
    return written(graph, "layer"), {name: value for name, (_, value) in leaves.items()}


def steps(got: np.ndarray, expected: np.ndarray) -> int:
    """The largest difference of two int8 arrays; of floats, 0 where they agree to 1e-5."""
    assert (got.shape, got.dtype) == (expected.shape, expected.dtype)
    if got.dtype == np.int8:
        return int(np.abs(got.astype(np.int32) - expected).max())
    np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-5)
    return 0
