"""Operator by operator beside the ONNX project's reference."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ...errors import InvalidInput, one_line
from .said import CLOSE, Difference, Verified, apart, verified


def operators(program: str, data: bytes, arrays: Mapping[str, np.ndarray]) -> Verified:
    """Each is fed what ONNX Runtime computed for it. data: of the model. arrays: its inputs, state among them."""
    import onnx
    import onnxruntime
    from onnx import helper
    from onnx.reference import ReferenceEvaluator

    model = onnx.ModelProto.FromString(data)
    nodes, outputs = list(model.graph.node), {port.name for port in model.graph.output}
    for name in (name for node in nodes for name in node.output if name not in outputs):
        model.graph.output.append(helper.make_empty_tensor_value_info(name))
    options = onnxruntime.SessionOptions()
    options.add_session_config_entry("session.qdqisint8allowed", "1")
    options.log_severity_level = 4  # what it logs as an error it raises too
    try:
        session = onnxruntime.InferenceSession(model.SerializeToString(), options, ["CPUExecutionProvider"])
        names = [port.name for port in (*session.get_inputs(), *session.get_overridable_initializers())]
        made = session.run(None, {name: arrays[name] for name in names if name in arrays})
    except Exception as error:  # of a broken model it raises kinds of its own
        raise InvalidInput("artifact", program, f"ONNX Runtime refuses it ({one_line(str(error))[:160]})") from None
    held = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    held |= {name: array for name, array in arrays.items() if name in names}
    held |= {port.name: array for port, array in zip(session.get_outputs(), made, strict=True)}
    found, allowed = list[Difference](), list[float]()
    for index, node in enumerate(nodes):
        given = {name: held[name] for name in node.input if name}
        with np.errstate(all="ignore"):
            expected = ReferenceEvaluator(node, opsets={"": _opset(model)}).run(None, given)
        for name, want in zip((n for n in node.output if n), expected, strict=False):
            found.append(Difference(index, node.op_type, apart(held[name], np.asarray(want))))
            allowed.append(CLOSE if held[name].dtype.kind == "f" else 1.0)
    told = verified(program, found, allowed, "operator")
    return Verified(program, len(nodes), told.largest, told.first)


def _opset(model: Any) -> int:
    return next(int(entry.version) for entry in model.opset_import if entry.domain == "")
