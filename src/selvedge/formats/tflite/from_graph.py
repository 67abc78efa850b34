"""A graph of int8 rows as the operators of a ``.tflite`` file: the inverse of :mod:`.graph`.

What LiteRT's reference kernels make of the file is bit by bit what the graph means. TensorFlow's padding is "same" or
"valid": another one becomes an operator of its own before its layer, of the zero point, which adds nothing to a sum.
A fully connected layer takes what lies in rows whatever its shape, so that what flattens before it is no operator. A
table is looked up (CAST, ADD, GATHER) where it is not that of an operator.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Set
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from selvedge.errors import InvalidInput, NotSupported
from selvedge.ir import Graph, Node, Quant, Spec, Value, consumers
from selvedge.ir.integer.table import FUNCTIONS, table
from selvedge.ir.quant import permuted

from ..lifted import lifted
from .geometry import kernel_of, padded_kernel_of, padding_of
from .model import Model, Operator, Option, Tensor
from .write import KINDS

# The version that has int8, where it is not the second.
VERSIONS = {"CONV_2D": 3, "DEPTHWISE_CONV_2D": 3, "FULLY_CONNECTED": 4, "RESHAPE": 1, "QUANTIZE": 1, "CAST": 1}
FULLY_CONNECTED_BY_CHANNEL = 12


def model(graph: Graph) -> Model:
    """``graph``, whose weights are constants, as it would be read from a file: inputs and outputs in its order, NHWC.

    Raises :class:`NotSupported` for a row that no operator computes so, with the user's line.
    """
    graph = lifted(graph)
    writing = _Writing({v: name for name, v in graph.outputs.items()}, flat=_flattening(graph))
    if graph.state:
        raise InvalidInput("network", f"with state {next(iter(graph.state))}", "freeze it first: see selvedge.network")
    for name, leaf in graph.inputs.items():
        writing.places[leaf] = writing.tensor(name, leaf.spec)
    for node in graph.nodes():
        if node in writing.flat:
            continue
        if node.op in RULES:
            writing.places[Value(node)] = RULES[node.op](writing, node)
        elif node.inputs:
            raise NotSupported(f"{node.op} in a .tflite file", node.where, "only int8 layers are written to one")
    outputs = [writing.places.get(v) for v in graph.outputs.values()]
    made = [o.outputs[0] for o in writing.operators]
    if len(set(outputs)) < len(outputs) or not set(outputs) <= set(made):
        raise InvalidInput("network outputs", ", ".join(graph.outputs), "each must be a result of its own")
    inputs = tuple(writing.places[v] for v in graph.inputs.values())
    return Model(tuple(writing.tensors), tuple(writing.operators), inputs, tuple(i for i in outputs if i is not None))


def _flattening(graph: Graph) -> set[Node]:
    """The reshapes to rows that only fully connected layers read."""
    nodes = graph.nodes()
    readers, outputs = consumers(nodes), set(graph.outputs.values())
    return {
        node
        for node in nodes
        if node.op == "reshape" and len(node.specs[0].shape) == 2 and Value(node) not in outputs
        and all(r.op == "int8_linear" and Value(node) not in r.inputs[1:] for r in readers[Value(node)])
    }  # fmt: skip


@dataclass(slots=True, eq=False)
class _Writing:
    """``names``: of the values that are outputs. ``flat``: reshapes that are left out. ``places``: the tensor of each
    value."""

    names: Mapping[Value, str]
    flat: Set[Node]
    tensors: list[Tensor] = field(default_factory=list)
    operators: list[Operator] = field(default_factory=list)
    places: dict[Value, int] = field(default_factory=dict)
    known: dict[tuple[Spec, bytes], int] = field(default_factory=dict)

    def tensor(self, name: str, spec: Spec, data: np.ndarray | None = None) -> int:
        self.tensors.append(Tensor(name, spec.shape, spec.dtype, spec.quant, data))
        return len(self.tensors) - 1

    def of(self, value: Value, perm: tuple[int, ...] | None = None) -> int:
        """The tensor of ``value``: of a constant with its axes in the order ``perm``."""
        if value.node.op != "constant":
            return self.places[value]
        order = perm or tuple(range(len(value.shape)))
        return self.constant(value.node.attrs["value"].transpose(order), permuted(value.spec.quant, order))

    def constant(self, array: np.ndarray, quant: Quant | None = None) -> int:
        """The tensor of ``array``: equal ones that stand for the same are one, as a layer's that is used again."""
        data = np.ascontiguousarray(array)
        spec = Spec(data.shape, data.dtype.name, quant)
        key = spec, data.tobytes()
        if key not in self.known:
            self.known[key] = self.tensor(f"constant{len(self.known)}", spec, data)
        return self.known[key]

    def numbers(self, numbers: object) -> int:
        """A constant of int32."""
        return self.constant(np.array(numbers, np.int32))

    def operator(
        self, name: str, inputs: tuple[int | None, ...], spec: Spec, node: Node | None = None, **options: Option
    ) -> int:
        """What it makes, of ``spec``. ``node``: it is the value of that node."""
        return self.versioned(VERSIONS.get(name, 2), name, inputs, spec, node, options)

    def versioned(
        self, version: int, name: str, inputs: tuple[int | None, ...], spec: Spec, node: Node | None,
        options: Mapping[str, Option],
    ) -> int:  # fmt: skip
        """The same, of a version of the operator."""
        number = len(self.operators)
        named = None if node is None else self.names.get(Value(node))
        made = self.tensor(named or f"{number}_{name.lower()}", spec)
        defaults: dict[str, Any] = {
            o.name: o.code[int(o.default)] if isinstance(o.code, tuple) else o.default for o in KINDS[name].options
        }
        self.operators.append(Operator(name, version, inputs, (made,), {**defaults, **options}))
        return made


def _plain(name: str) -> Callable[[_Writing, Node], int]:
    def rule(w: _Writing, node: Node) -> int:
        options = {"activation": node.attrs["activation"]} if "activation" in node.attrs else {}
        return w.operator(name, tuple(map(w.of, node.inputs)), node.specs[0], node, **options)

    return rule


def _relu(w: _Writing, node: Node) -> int:
    name = {"relu": "RELU", "relu6": "RELU6", "relu_n1_to_1": "RELU_N1_TO_1"}.get(node.attrs["activation"])
    return w.operator(name or "QUANTIZE", (w.of(node.inputs[0]),), node.specs[0], node)


def _convolution(w: _Writing, node: Node) -> int:
    x, weight, *bias = node.inputs
    (kh, kw, per_group, outs), groups, at = weight.shape, node.attrs["groups"], node.attrs
    depthwise = groups == x.shape[3] > 1 and per_group == 1
    place, shape = w.of(x), x.shape
    padding = padding_of(shape[1:3], (kh, kw), at["stride"], at["padding"], at["dilation"])
    if padding is None:
        (top, bottom), (left, right) = at["padding"]
        place = _padded(w, place, x.spec, ((0, 0), (top, bottom), (left, right), (0, 0)))
        padding = "valid"
    options: dict[str, Option] = {"padding": padding, "activation": at["activation"]}
    for name in ("stride", "dilation"):
        options |= {f"{name}_h": at[name][0], f"{name}_w": at[name][1]}
    if depthwise:
        options["depth_multiplier"] = outs // groups
    name = "DEPTHWISE_CONV_2D" if depthwise else "CONV_2D"
    inputs = (place, w.of(weight, (2, 0, 1, 3) if depthwise else (3, 0, 1, 2)), *_bias(w, node, bias))
    return w.operator(name, inputs, node.specs[0], node, **options)


def _linear(w: _Writing, node: Node) -> int:
    x, weight, *bias = node.inputs
    name, quant = "FULLY_CONNECTED", weight.spec.quant
    version = VERSIONS[name] if quant is None or quant.axis is None else FULLY_CONNECTED_BY_CHANNEL
    options: dict[str, Option] = {"activation": node.attrs["activation"], "keep_dims": len(x.shape) > 2}
    if x.node in w.flat:
        (x,) = x.node.inputs
    return w.versioned(version, name, (w.of(x), w.of(weight), *_bias(w, node, bias)), node.specs[0], node, options)


def _bias(w: _Writing, node: Node, bias: list[Value]) -> tuple[int | None, ...]:
    """At the scale of the products, as the file says it. Without one a fully connected layer leaves it out; LiteRT's
    convolutions must have it: zeros."""
    if not bias and node.op == "int8_linear":
        return (None,)
    x, weight = node.attrs["quants"]
    with np.errstate(over="ignore", under="ignore"):
        scale = np.float32(x.scale[0]) * np.array(weight.scale, np.float32)
    if not (np.isfinite(scale).all() and (scale > 0).all()):
        raise NotSupported(f"a bias of scale {float(scale.min())}", node.where, "its scale must be a float32 number")
    quant = Quant(tuple(map(float, scale)), (0,), None if len(scale) == 1 else 0)
    outs = node.specs[0].shape[-1:]
    return (w.constant(np.asarray(bias[0].node.attrs["value"]) if bias else np.zeros(outs, np.int32), quant),)


def _padded(w: _Writing, place: int, spec: Spec, amounts: tuple[tuple[int, int], ...], value: int | None = None) -> int:
    """``place`` with the zero point around it, or ``value``."""
    shape = tuple(n + sum(pair) for n, pair in zip(spec.shape, amounts, strict=True))
    made = Spec(shape, "int8", spec.quant)
    if value is None:
        return w.operator("PAD", (place, w.numbers(amounts)), made)
    return w.operator("PADV2", (place, w.numbers(amounts), _one(w, value, spec)), made)


def _one(w: _Writing, value: int, spec: Spec) -> int:
    return w.constant(np.array([value], np.int8), spec.quant)


def _pool(w: _Writing, node: Node) -> int:
    average = node.op == "int8_average_pool"
    x = node.inputs[0]
    place, extents = w.of(x), x.shape[1:3]
    windows = node.attrs["windows_h"], node.attrs["windows_w"]
    found = kernel_of(extents, windows)
    if found is None and not average:
        # Of the lowest value around, which no maximum is.
        around = padded_kernel_of(extents, windows)
        if around is not None:
            found, pads = around
            place = _padded(w, place, x.spec, ((0, 0), *pads, (0, 0)), -128)
    if found is None:
        raise NotSupported(f"{node.op} of unequal windows in a .tflite file", node.where, "pool by equal windows")
    kernel, stride, padding = found
    return w.operator(
        "AVERAGE_POOL_2D" if average else "MAX_POOL_2D", (place,), node.specs[0], node, padding=padding,
        kernel_h=kernel[0], kernel_w=kernel[1], stride_h=stride[0], stride_w=stride[1],
        activation=node.attrs.get("activation", "none"),
    )  # fmt: skip


def _mean(w: _Writing, node: Node) -> int:
    inputs = (w.of(node.inputs[0]), w.numbers(node.attrs["axes"]))
    return w.operator("MEAN", inputs, node.specs[0], node, keep_dims=bool(node.attrs["keepdims"]))


def _softmax(w: _Writing, node: Node) -> int:
    return w.operator("SOFTMAX", (w.of(node.inputs[0]),), node.specs[0], node, beta=float(node.attrs["beta"]))


def _table(w: _Writing, node: Node) -> int:
    x, entries = node.inputs[0], np.asarray(node.inputs[1].node.attrs["value"])
    (given,), y = node.attrs["quants"], node.attrs["quant"]
    for function, name in (("logistic", "LOGISTIC"), ("tanh", "TANH")):
        fits = y == {"logistic": Quant((1 / 256,), (-128,)), "tanh": Quant((1 / 128,))}[function]
        if fits and function in FUNCTIONS and (table(function, given, y) == entries).all():
            return w.operator(name, (w.of(x),), node.specs[0], node)
    whole = w.operator("CAST", (w.of(x),), Spec(x.shape, "int32"))
    number = w.operator("ADD", (whole, w.numbers([128])), Spec(x.shape, "int32"))
    return w.operator("GATHER", (w.constant(entries, y), number), node.specs[0], node)


def _reshape(w: _Writing, node: Node) -> int:
    return w.operator("RESHAPE", (w.of(node.inputs[0]), w.numbers(node.specs[0].shape)), node.specs[0], node)


def _transpose(w: _Writing, node: Node) -> int:
    return w.operator("TRANSPOSE", (w.of(node.inputs[0]), w.numbers(node.attrs["perm"])), node.specs[0], node)


def _slice(w: _Writing, node: Node) -> int:
    ends = (w.numbers(node.attrs[name]) for name in ("starts", "stops", "steps"))
    return w.operator("STRIDED_SLICE", (w.of(node.inputs[0]), *ends), node.specs[0], node)


def _concat(w: _Writing, node: Node) -> int:
    return w.operator("CONCATENATION", tuple(map(w.of, node.inputs)), node.specs[0], node, axis=node.attrs["axis"])


def _pad(w: _Writing, node: Node) -> int:
    x, value = node.inputs[0], int(node.attrs["value"])
    amounts = w.numbers(tuple(zip(node.attrs["before"], node.attrs["after"], strict=True)))
    quant = x.spec.quant
    if quant is not None and value == quant.zero_point[0]:
        return w.operator("PAD", (w.of(x), amounts), node.specs[0], node)
    return w.operator("PADV2", (w.of(x), amounts, _one(w, value, x.spec)), node.specs[0], node)


def _nearest(w: _Writing, node: Node) -> int:
    """Rows picked, then columns."""
    x, rows = node.inputs[0], node.attrs["rows"]
    spec = Spec((x.shape[0], len(rows), *x.shape[2:]), "int8", x.spec.quant)
    picked = w.operator("GATHER", (w.of(x), w.numbers(rows)), spec, axis=1)
    return w.operator("GATHER", (picked, w.numbers(node.attrs["columns"])), node.specs[0], node, axis=2)


RULES: dict[str, Callable[[_Writing, Node], int]] = {
    "concat": _concat,
    "dequantise": _plain("DEQUANTIZE"),
    "int8_add": _plain("ADD"),
    "int8_average_pool": _pool,
    "int8_conv2d": _convolution,
    "int8_linear": _linear,
    "int8_mean": _mean,
    "int8_mul": _plain("MUL"),
    "int8_relu": _relu,
    "int8_softmax": _softmax,
    "int8_table": _table,
    "max_pool": _pool,
    "nearest": _nearest,
    "pad": _pad,
    "quantise": _plain("QUANTIZE"),
    "requantise": _plain("QUANTIZE"),
    "reshape": _reshape,
    "slice": _slice,
    "transpose": _transpose,
}
