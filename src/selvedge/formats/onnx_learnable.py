"""An ONNX model as a graph that can learn: its float weights are parameters, under the names that the file has for
them.

What is int8 (QDQ) stays as it is, frozen. Of the last layers of such a model as many as are asked for become the float
layers that they stand for; what they are given is dequantised, and behind them nothing is quantised any more, but for
the end of a scale that is a ReLU. A softmax at the end is left out: losses take logits. Real numbers are quantised
first where a file takes int8.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from selvedge.artifact.layout import Layout
from selvedge.errors import InvalidInput, NotSupported
from selvedge.ir import (
    Graph,
    Node,
    Spec,
    Value,
    apply,
    consumers,
    evaluate_node,
    input_leaf,
    replaced,
    simplified,
    state_leaf,
)  # fmt: skip

from .onnx import Model, graph
from .onnx.model import Operator
from .onnx_prepared import prepared

# Operator -> what it calls those of its inputs that learn where they are float constants.
LEARNS: Mapping[str, Mapping[int, str]] = {
    "BatchNormalization": {1: "weight", 2: "bias"},
    "Conv": {1: "weight", 2: "bias"},
    "ConvTranspose": {1: "weight", 2: "bias"},
    "Gemm": {1: "weight", 2: "bias"},
    "LayerNormalization": {1: "weight", 2: "bias"},
    "MatMul": {0: "weight", 1: "weight"},
}
LAYERS = ("Conv", "ConvTranspose", "Gemm", "MatMul")
NAME = re.compile(r"\w+(\.\w+)+", re.ASCII)  # as PyTorch names a parameter of a layer


@dataclass(frozen=True, slots=True, eq=False)
class Learnable:
    """graph: inputs "x", "x1", ...; float logits; parameters are its state. state: name -> array as the file has it.
    layouts: of the inputs and outputs that the file has channels first."""

    graph: Graph
    state: Mapping[str, np.ndarray]
    layouts: Mapping[str, Layout]


def learnable(model: Model, last: int | None = None) -> Learnable:
    """last: how many layers, counted from the end, are floats at least: by default all that are, and where none is, the
    last one.

    Raises :class:`InvalidInput` for more layers than there are and for a file without one, and as
    :func:`selvedge.formats.onnx.graph`.
    """
    model = prepared(model)
    layers = [node for node in model.operators if _is_layer(node, model)]
    if not layers:
        raise InvalidInput("onnx file", "without layers", "nothing of it can learn: give one with weights")
    if last is not None and not 1 <= last <= len(layers):
        raise InvalidInput("last", last, f"the file has {len(layers)} layers: give 1 to {len(layers)}")
    if last is None and not any(_float_weights(node, model) for node in layers):
        last = 1
    model = _real(model, set() if last is None else {node.index for node in layers[-last:]})
    names = _parameters(model)
    state = {own: model.constants[name] for name, own in names.items()}
    left = {name: array for name, array in model.constants.items() if name not in names}
    ports = {name: ("float32", model.constants[name].shape) for name in names}
    read = graph(replace(model, constants=left, inputs={**model.inputs, **ports}))
    for node in read.graph.nodes():
        if node.op == "conv2d_input_grad":
            raise NotSupported("a ConvTranspose in a network that learns", node.where, "export it as Resize and Conv")
    return _with_state(Learnable(read.graph, state, read.layouts), list(names.values()))


def _source(name: str, model: Model) -> Operator | None:
    """The DequantizeLinear of a constant that makes ``name``."""
    node = next((n for n in model.operators if n.outputs[0] == name), None)
    return node if node is not None and node.op == "DequantizeLinear" and node.inputs[0] in model.constants else None


def _is_layer(node: Operator, model: Model) -> bool:
    return node.op in LAYERS and (_float_weights(node, model) or _source(node.inputs[1], model) is not None)


def _float_weights(node: Operator, model: Model) -> bool:
    names = {node.inputs[i] for i, role in LEARNS[node.op].items() if role == "weight" and i < len(node.inputs)}
    names |= {n.inputs[0] for n in model.operators if n.op == "Transpose" and n.outputs[0] in names}
    return any(_is_float(name, model) for name in names)


def _is_float(name: str, model: Model) -> bool:
    return name in model.constants and model.constants[name].dtype == np.float32


def _real(model: Model, chosen: set[int]) -> Model:
    """``model`` of which the layers at those indices, and what is behind the first that is int8, are floats."""
    constants, operators = dict(model.constants), []
    real, now = set[str](), dict[str, str]()
    for node in model.operators:
        inputs = tuple(now.get(name, name) for name in node.inputs)
        if node.op == "DequantizeLinear" and node.inputs[0] in real:
            now[node.outputs[0]] = inputs[0]
            real.add(inputs[0])
            continue
        if node.op == "QuantizeLinear" and inputs[0] in real:
            clamped = _is_relu(node, constants)
            if clamped:
                relu = f"{node.outputs[0]} as floats"
                operators.append(replace(node, op="Relu", inputs=inputs[:1], outputs=(relu,), attrs={}))
            now[node.outputs[0]] = relu if clamped else inputs[0]
            real |= {node.outputs[0], now[node.outputs[0]]}
            continue
        if node.index in chosen or any(name in real for name in inputs):
            sources = {name: _source(name, model) for name in inputs}
            if node.index in chosen and any(sources.values()):
                real.add(node.outputs[0])
            for name, source in sources.items():
                if source is not None and real:
                    constants[name] = _dequantised(source, constants)
        if any(name in real for name in inputs):
            real.update(node.outputs)
        operators.append(replace(node, inputs=inputs))
    kept = tuple(node for node in operators if node.outputs[0] not in constants)
    return replace(model, constants=constants, operators=kept, outputs=tuple(now.get(n, n) for n in model.outputs))


def _is_relu(node: Operator, constants: Mapping[str, np.ndarray]) -> bool:
    """Whether the least number of a scale stands for 0: exporters leave out a ReLU before it."""
    zero = constants.get(node.inputs[2]) if len(node.inputs) > 2 else np.uint8(0)
    return zero is not None and bool(np.all(zero == np.iinfo(zero.dtype).min))


def _dequantised(node: Operator, constants: Mapping[str, np.ndarray]) -> np.ndarray:
    codes, scale = constants[node.inputs[0]], constants[node.inputs[1]].astype(np.float64)
    zero = constants[node.inputs[2]].astype(np.float64) if len(node.inputs) > 2 and node.inputs[2] else np.zeros(())
    if scale.size > 1:
        axis = node.attrs.get("axis", 1)
        if not isinstance(axis, int) or not -codes.ndim <= axis < codes.ndim or codes.shape[axis] != scale.size:
            raise InvalidInput(f"{node.where}: axis", str(axis), f"{scale.size} scales lie along one of its axes")
        shape = [1] * codes.ndim
        shape[axis] = -1
        scale, zero = scale.reshape(shape), zero.reshape(shape) if zero.size > 1 else zero
    return np.asarray((codes - zero) * scale, np.float32)


def _parameters(model: Model) -> dict[str, str]:
    """Constant -> its name as a parameter: the file's where that is like PyTorch's; else that of what learns beside it,
    or a number in its place: "3.weight" is of the fourth layer. What lies otherwise than PyTorch's weight, inputs by
    outputs, is called "matrix"."""
    found: dict[str, str] = {}
    nodes = [(node, taken) for node in model.operators if (taken := _learning(node, model))]
    own = {name for _, taken in nodes for name, _ in taken if NAME.fullmatch(name)}
    layer = "layer" if any(name[0].isdigit() for name in own) else ""
    for number, (node, taken) in enumerate(nodes):
        beside = next((name.rpartition(".")[0] for name, _ in taken if name in own), f"{layer}{number}")
        lies = node.op == "MatMul" or (node.op == "Gemm" and not node.attrs.get("transB"))
        for name, role in taken:
            made = name if name in own else f"{beside}.{'matrix' if lies and role == 'weight' else role}"
            if name not in found:
                found[name] = made if name in own or made not in {*own, *found.values()} else f"{made}_{number}"
    return found


def _learning(node: Operator, model: Model) -> list[tuple[str, str]]:
    """The constants of a node that learn, with what they are to it; none of a layer whose weights are int8."""
    if node.op not in LEARNS or not _float_weights(node, model):
        return []
    turned = {n.outputs[0]: n.inputs[0] for n in model.operators if n.op == "Transpose"}
    given = {i: turned.get(name, name) for i, name in enumerate(node.inputs)}
    taken = [(given[i], role) for i, role in LEARNS[node.op].items() if i in given]
    if node.op == "MatMul":
        sums = (n for n in model.operators if n.op == "Add" and node.outputs[0] in n.inputs)
        taken += [(name, "bias") for n in sums for name in n.inputs]
    return [(name, role) for name, role in taken if _is_float(name, model) and model.constants[name].ndim]


def _with_state(read: Learnable, names: list[str]) -> Learnable:
    """``read``, of whose inputs the last are parameters by those names: as state, stored as what computes with it has
    it."""
    nodes = read.graph.nodes()
    readers = consumers(nodes)
    ports = list(read.graph.inputs.items())
    given, learnt = ports[: len(ports) - len(names)], ports[len(ports) - len(names) :]
    leaves, now = dict[str, Value](), dict[Value, Value]()
    for name, (port, leaf) in zip(names, learnt, strict=True):
        layout = read.layouts.get(port) or Layout.of(leaf.shape)
        end, stored = _turned(leaf, layout, readers)
        leaves[name] = now[end] = state_leaf(name, Spec(stored.shape), "parameter", stored)
    inputs = dict[str, Value]()
    for port, leaf in given:
        real = leaf.dtype == "int8" and leaf.spec.quant is not None
        inputs[port] = input_leaf(port, Spec(leaf.shape) if real else leaf.spec, **_said(leaf))
        now[leaf] = apply("quantise", inputs[port], quant=leaf.spec.quant) if real else inputs[port]
    outputs = replaced(read.graph, now).outputs
    made = simplified(Graph(inputs, leaves, outputs))
    odd = next((name for name, v in made.outputs.items() if not v.spec.is_float), None)
    if odd is not None:
        raise NotSupported(f"{odd} of int8 that learns", "", "it is behind no layer: give a file of one output")
    ours = {n: layout for n, layout in read.layouts.items() if n in inputs or n in made.outputs}
    return Learnable(made, read.state, ours)


def _turned(leaf: Value, layout: Layout, readers: Mapping[Value, list[Node]]) -> tuple[Value, Layout]:
    """The value that ``leaf`` is moved to before something computes with it, and how that one is stored: as a weight
    is, in another order of axes."""
    size = math.prod(layout.face)
    numbers = layout.store(np.arange(size, dtype=np.float64).reshape(layout.face))
    found = leaf, layout
    while len(next_ := readers.get(leaf, [])) == 1 and next_[0].op in ("reshape", "transpose"):
        numbers, leaf = evaluate_node(next_[0], [numbers])[0], Value(next_[0])
        for perm in itertools.permutations(range(len(layout.face))):
            whole = np.arange(size, dtype=np.float64).reshape(layout.face).transpose(perm)
            if whole.shape == numbers.shape and np.array_equal(whole, numbers):
                found = leaf, Layout.of(layout.face, perm)
                break
    return found


def _said(leaf: Value) -> dict[str, object]:
    return {name: value for name, value in leaf.node.attrs.items() if name != "name"}
