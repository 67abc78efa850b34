"""The graph of a file as one that can learn: weights are parameters, and the last layers of an int8 one are floats.

An int8 layer that is to learn becomes the float layer that it stands for: its weights and bias dequantised, its
activation a clamp; so does everything behind it. What lies before stays int8 and does not learn, and what crosses is
dequantised. A softmax at the end is left out: losses take logits. What a file rounds as it runs is not rounded here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np

from selvedge.errors import InvalidInput, NotSupported
from selvedge.ir import Graph, Node, Quant, Spec, Value, apply, constant, consumers, reduce, replaced, scale, state_leaf
from selvedge.ir.integer.requantise import ACTIVATIONS

from .graph import Read

LAYERS = ("conv2d", "int8_conv2d", "int8_linear", "matmul")
SOFTMAX = ("int8_softmax", "softmax")


@dataclass(frozen=True, slots=True, eq=False)
class Learnable:
    """graph: float logits of its inputs; float weights are parameters, all else a constant. state: name -> array, as it
    is stored. layers: in order of execution, each the names of its arrays: "3.weight", "3.bias"."""

    graph: Graph
    state: Mapping[str, np.ndarray]
    layers: tuple[tuple[str, ...], ...]


def learnable(read: Read, last: int | None = None) -> Learnable:
    """last: how many layers, counted from the end, are floats at least: by default all that are, and the last one.

    Raises :class:`InvalidInput` for more layers than there are and :class:`NotSupported` for a row behind the first of
    them that stands for no float row.
    """
    read = read.real or read
    graph = _without_softmax(read.graph)
    nodes = [n for n in graph.nodes() if n.op in LAYERS]
    if last is not None and not 1 <= last <= len(nodes):
        raise InvalidInput("last", last, f"the file has {len(nodes)} layers: give 1 to {len(nodes)}")
    if not nodes:
        raise InvalidInput("tflite file", "without layers", "nothing of it can learn: give one with weights")
    making = _Making(read.state, {n: i for i, n in enumerate(nodes)})
    first = {n for n in nodes[-(1 if last is None else last) :] if n.op.startswith("int8_")}
    for node in graph.nodes():
        if node in first or any(v in making.floats for v in node.inputs):
            making.floats[Value(node)] = making.of(node)
    outputs = {name: making.floats.get(v, v) for name, v in graph.outputs.items()}
    whole = Graph(graph.inputs, graph.state, outputs)
    odd = next((name for name, v in outputs.items() if not v.spec.is_float), None)
    if odd is not None:
        raise NotSupported(f"{odd} of int8 that learns", "", "it is behind no layer: give a file of one output")
    return making.finished(whole)


def _without_softmax(graph: Graph) -> Graph:
    outputs = {n: v.node.inputs[0] if v.node.op in SOFTMAX else v for n, v in graph.outputs.items()}
    return Graph(graph.inputs, graph.state, outputs)


@dataclass(slots=True, eq=False)
class _Making:
    """``arrays``: the file's constants. ``numbers``: of the layers. ``floats``: int8 value -> what it stands for."""

    arrays: Mapping[str, np.ndarray]
    numbers: Mapping[Node, int]
    floats: dict[Value, Value] = field(default_factory=dict)
    leaves: dict[str, Value] = field(default_factory=dict)
    state: dict[str, np.ndarray] = field(default_factory=dict)

    def of(self, node: Node) -> Value:
        if node.op not in RULES:
            fix = f"fewer layers can be floats: it is behind the first of {len(self.numbers)} that would be"
            raise NotSupported(f"{node.op} that learns", node.where, fix)
        return RULES[node.op](self, node)

    def real(self, value: Value) -> Value:
        """``value`` as floats."""
        if value in self.floats or value.spec.is_float:
            return self.floats.get(value, value)
        return apply("dequantise", value, quants=(value.spec.quant,), dtype="float32")

    def parameter(self, name: str, leaf: Value, array: np.ndarray) -> Value:
        """The float ``array`` in the place of ``leaf``: once for each name."""
        if name not in self.leaves:
            self.state[name] = np.ascontiguousarray(array, np.float32)
            spec = Spec(array.shape)
            self.leaves[name] = state_leaf(name, spec, "parameter", leaf.node.attrs["layout"])
        return self.leaves[name]

    def array(self, leaf: Value) -> np.ndarray:
        return self.arrays[leaf.node.attrs["name"]]

    def finished(self, graph: Graph) -> Learnable:
        """``graph`` of which float weights are parameters, and what is left is constant."""
        now: dict[Value, Value] = {}
        for node in graph.nodes():
            if node.op in ("conv2d", "matmul") and node in self.numbers:
                name, number = f"{self.numbers[node]}.weight", self.numbers[node]
                now[node.inputs[1]] = self.parameter(name, node.inputs[1], self.array(node.inputs[1]))
                for reader in consumers(graph.nodes()).get(Value(node), []):
                    for leaf in reader.inputs if reader.op == "add" else ():
                        if leaf.node.op == "state" and leaf.shape == node.specs[0].shape[-1:]:
                            now[leaf] = self.parameter(f"{number}.bias", leaf, self.array(leaf))
        for leaf in graph.state.values():
            if leaf not in now:
                now[leaf] = constant(self.array(leaf), quant=leaf.spec.quant)
        made = replaced(graph, now)
        names = sorted(self.leaves, key=lambda n: (int(n.partition(".")[0]), n.endswith("bias")))
        layers: dict[str, list[str]] = {}
        for name in names:
            layers.setdefault(name.partition(".")[0], []).append(name)
        state = {n: self.leaves[n] for n in names}
        whole = Graph(made.inputs, state, made.outputs)
        return Learnable(whole, {n: self.state[n] for n in names}, tuple(map(tuple, layers.values())))


def _dequantised(codes: np.ndarray, quant: Quant) -> np.ndarray:
    shape = [1] * codes.ndim
    if quant.axis is not None:
        shape[quant.axis] = -1
    scales, zeros = (np.array(v, np.float64).reshape(shape if len(v) > 1 else (1,) * codes.ndim)
                     for v in (quant.scale, quant.zero_point))  # fmt: skip
    return np.asarray((codes - zeros) * scales, np.float32)


def _activated(made: Value, activation: str) -> Value:
    least, most = ACTIVATIONS[activation]
    if least is None:
        return made
    return apply("relu", made) if most is None else apply("clamp", made, min=float(least), max=float(most))


def _layer(m: _Making, node: Node) -> Value:
    x, w, *bias = node.inputs
    given, weights = node.attrs["quants"]
    number = m.numbers[node]
    kernel = m.parameter(f"{number}.weight", w, _dequantised(m.array(w), weights))
    if node.op == "int8_conv2d":
        geometry = {name: node.attrs[name] for name in ("stride", "padding", "dilation", "groups")}
        made = apply("conv2d", m.real(x), kernel, where=node.where, **geometry)
    else:
        rows = m.real(x)
        if len(rows.shape) != 2:
            raise NotSupported("a fully connected layer over several axes that learns", node.where, "flatten before it")
        made = apply("matmul", rows, kernel, trans_a=False, trans_b=True, where=node.where)
    if bias:
        scales = np.float64(given.scale[0]) * np.array(weights.scale, np.float64)
        shift = m.parameter(f"{number}.bias", bias[0], np.asarray(m.array(bias[0]) * scales, np.float32))
        made = apply("add", made, shift, where=node.where)
    return _activated(made, node.attrs["activation"])


def _two(row: str) -> Callable[[_Making, Node], Value]:
    def rule(m: _Making, node: Node) -> Value:
        return _activated(apply(row, *map(m.real, node.inputs), where=node.where), node.attrs["activation"])

    return rule


def _average(m: _Making, node: Node) -> Value:
    seen = {name: node.attrs[name] for name in ("windows_h", "windows_w")}
    counts = {f"counts_{a}": tuple(len(range(*w)) for w in seen[f"windows_{a}"]) for a in "hw"}
    made = apply("avg_pool", m.real(node.inputs[0]), where=node.where, **seen, **counts)
    return _activated(made, node.attrs["activation"])


def _mean(m: _Making, node: Node) -> Value:
    x, axes = m.real(node.inputs[0]), node.attrs["axes"]
    total = reduce("reduce_sum", x, axes, bool(node.attrs["keepdims"]), node.where)
    return scale(total, total.spec.size / x.spec.size)


def _same(m: _Making, node: Node) -> Value:
    """One that only stands for what it was given."""
    return m.real(node.inputs[0])


def _clamped(m: _Making, node: Node) -> Value:
    return _activated(m.real(node.inputs[0]), node.attrs["activation"])


def _moved(m: _Making, node: Node) -> Value:
    return apply(node.op, *map(m.real, node.inputs), where=node.where, **node.attrs)


RULES: Mapping[str, Callable[[_Making, Node], Value]] = MappingProxyType(
    {
        "concat": _moved,
        "dequantise": _same,
        "int8_add": _two("add"),
        "int8_average_pool": _average,
        "int8_conv2d": _layer,
        "int8_linear": _layer,
        "int8_mean": _mean,
        "int8_mul": _two("mul"),
        "int8_relu": _clamped,
        "max_pool": _moved,
        "quantise": _same,
        "requantise": _same,
        "reshape": _moved,
        "slice": _moved,
        "transpose": _moved,
    }
)
