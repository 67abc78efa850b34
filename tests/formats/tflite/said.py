"""What a file says, read by the accessors of LiteRT's generated schema: the fields our reader reads, no others."""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from selvedge.formats.tflite import Model
from selvedge.formats.tflite.schema import ACTIVATION, DTYPES, OPERATORS, PADDING, WEIGHTS_FORMAT

from .litert import schema

ENUMS = {"padding": PADDING, "activation": ACTIVATION, "weights_format": WEIGHTS_FORMAT}
ACCESSORS = {
    "activation": "FusedActivationFunction", "padding": "Padding", "stride_w": "StrideW", "stride_h": "StrideH",
    "dilation_w": "DilationWFactor", "dilation_h": "DilationHFactor", "kernel_w": "FilterWidth",
    "kernel_h": "FilterHeight", "depth_multiplier": "DepthMultiplier", "weights_format": "WeightsFormat",
    "keep_dims": "KeepDims", "beta": "Beta", "axis": "Axis", "corners": "AlignCorners", "half": "HalfPixelCenters",
    "batch_dims": "BatchDims", "begin_mask": "BeginMask", "end_mask": "EndMask", "ellipsis_mask": "EllipsisMask",
    "new_mask": "NewAxisMask", "shrink_mask": "ShrinkAxisMask",
}  # fmt: skip


def listed(found: Any) -> list[Any]:
    return [] if isinstance(found, int) else found.tolist()


def said(data: bytes) -> dict[str, Any]:
    s = schema()
    model = s.Model.GetRootAs(data, 0)
    graph = model.Subgraphs(0)
    tensors = [tensor(model, graph.Tensors(i)) for i in range(graph.TensorsLength())]
    operators = [operator(model, graph.Operators(i)) for i in range(graph.OperatorsLength())]
    ends = {"inputs": listed(graph.InputsAsNumpy()), "outputs": listed(graph.OutputsAsNumpy())}
    return {"tensors": tensors, "operators": operators, **ends}


def tensor(model: Any, t: Any) -> dict[str, Any]:
    dtype = DTYPES[t.Type()]
    quant, found = t.Quantization(), None
    if quant is not None and np.issubdtype(np.dtype(dtype), np.integer) and quant.ScaleLength():
        axis = quant.QuantizedDimension() if quant.ScaleLength() > 1 else None
        found = (listed(quant.ScaleAsNumpy()), listed(quant.ZeroPointAsNumpy()) or [0], axis)
    data = model.Buffers(t.Buffer()).DataAsNumpy()
    raw = None if isinstance(data, int) or not data.size else data.tobytes()
    name = "" if t.Name() is None else t.Name().decode("utf-8", "replace")
    name = "".join(c if c.isprintable() else "?" for c in name)
    return {"name": name, "shape": listed(t.ShapeAsNumpy()), "dtype": dtype, "quant": found, "data": raw}


def operator(model: Any, node: Any) -> dict[str, Any]:
    s = schema()
    code = model.OperatorCodes(node.OpcodeIndex())
    kind = OPERATORS[max(code.DeprecatedBuiltinCode(), code.BuiltinCode())]
    options: dict[str, Any] = {}
    if kind.options:
        name = next(k for k, v in vars(s.BuiltinOptions).items() if v == kind.options_type)
        table = getattr(s, name)()
        offset = node.BuiltinOptions() if node.BuiltinOptionsType() else None
        if offset is None:
            options = {o.name: o.default for o in kind.options}
        else:
            table.Init(offset.Bytes, offset.Pos)
            for o in kind.options:
                accessor = (
                    "KeepNumDims" if kind.name == "FULLY_CONNECTED" and o.name == "keep_dims" else ACCESSORS[o.name]
                )
                options[o.name] = getattr(table, accessor)()
        options = {k: ENUMS[k][v] if k in ENUMS else v for k, v in options.items()}
    return {
        "name": kind.name, "version": code.Version(), "inputs": listed(node.InputsAsNumpy()),
        "outputs": listed(node.OutputsAsNumpy()), "options": options,
    }  # fmt: skip


def ours(model: Model) -> dict[str, Any]:
    """The same of what our reader made."""
    return {
        "tensors": [
            {
                "name": t.name, "shape": list(t.shape), "dtype": t.dtype,
                "quant": None if t.quant is None else (list(t.quant.scale), list(t.quant.zero_point), t.quant.axis),
                "data": None if t.data is None else t.data.tobytes(),
            }
            for t in model.tensors
        ],
        "operators": [
            {
                "name": o.name, "version": o.version, "inputs": [-1 if i is None else i for i in o.inputs],
                "outputs": list(o.outputs), "options": dict(o.options),
            }
            for o in model.operators
        ],
        "inputs": list(model.inputs),
        "outputs": list(model.outputs),
    }  # fmt: skip


def camel(name: str) -> str:
    """SCALE_FACTOR -> ScaleFactor."""
    return re.sub(r"(?:^|_)(\w)", lambda m: m.group(1).upper(), name.lower())
