"""A converted graph -> :class:`Quantised`: biases in int32, state under the user's names, bytes counted.

The bias of a layer is int32 at scale input x weight, zero point 0, so that it is added to the accumulator as it is
(Jacob et al., arXiv:1712.05877, section 2.4). Where a bias would not fit int32, as behind a norm whose channel is all
but dead, the channel's weight scale is raised until it does, as LiteRT's converter does.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import torch
from torch import nn
from torch.fx import Graph, GraphModule, Node

from .layers import constant, weighted
from .litert import FLOAT
from .quantised import Facts, Quantised, assembled, packed

_qd = torch.ops.quantized_decomposed
LEAST, MOST = -(2**31), 2**31 - 1
ROOM = 2**30  # steps of a bias at most, so that the sum it is added to has as much


@dataclass(slots=True)
class _State:
    """Buffers by name: (tensor, whether it is saved); and the bytes of a file that holds them."""

    buffers: dict[str, tuple[torch.Tensor, bool]] = field(default_factory=dict)
    stored: int = 0

    def put(self, name: str, tensor: torch.Tensor, bytes: int) -> str:
        """The name it is kept under: another one where a layer that is called twice has two of them. ``bytes``: 0 for
        what the rest of the state says already."""
        kept, number = name, 1
        while kept in self.buffers:
            known = self.buffers[kept][0]
            if known.shape == tensor.shape and torch.equal(known, tensor):
                return kept
            number += 1
            kept = f"{name}_{number}"
        self.buffers[kept] = (tensor, bytes > 0)
        self.stored += bytes
        return kept


def finish(converted: GraphModule, names: dict[str, str], facts: Facts) -> Quantised:
    """names: layer -> its weight's parameter. ``facts``: with the bits of each layer; bytes are counted here."""
    graph, state = converted.graph, _State()
    for layer, node in weighted(graph):
        if facts.bits[layer] != FLOAT:
            _layer(converted, graph, node, names[layer], facts.bits[layer], state)
    for node in reversed(graph.nodes):
        if not node.users and node.op not in ("placeholder", "output"):
            graph.erase_node(node)
    for node in graph.nodes:
        if node.op == "get_attr" and str(node.target) not in state.buffers:
            tensor = constant(converted, node)
            size = tensor.numel() * tensor.element_size()
            state.put(str(node.target), tensor if isinstance(tensor, nn.Parameter) else tensor.detach(), size)
    return assembled(graph, state.buffers, replace(facts, bytes=state.stored))


def _layer(module: GraphModule, graph: Graph, node: Node, name: str, bits: int, state: _State) -> None:
    """Read one layer's weight and bias from buffers under the user's names."""
    weight, bias = node.args[1], node.args[2] if len(node.args) > 2 else None
    assert isinstance(weight, Node)
    assert isinstance(weight.args[0], Node)
    steps = constant(module, weight.args[0]).detach()
    per_tensor = weight.target is _qd.dequantize_per_tensor.default
    given = weight.args[1]
    scale = constant(module, given).detach() if isinstance(given, Node) else torch.tensor([float(str(given))])
    scale_in = _input_scale(node)
    values = constant(module, bias).detach() if isinstance(bias, Node) else None
    if values is not None:
        steps, scale = _raised(steps, scale.float(), values, scale_in)
    kept = state.put(name, steps.to(torch.int8), packed(steps.numel(), bits))
    zeros = torch.zeros(len(steps), dtype=torch.int32)
    with graph.inserting_before(node):
        if per_tensor:
            at = (_attribute(graph, kept), float(scale[0]), *weight.args[2:])
            node.update_arg(1, graph.call_function(_qd.dequantize_per_tensor.default, at))
            state.stored += 4
        else:
            scales = _attribute(graph, state.put(f"{name}_scale", scale, 4 * len(scale)))
            zero = _attribute(graph, state.put(f"{name}_zero_point", zeros, 0))
            whole = (_attribute(graph, kept), scales, zero, *weight.args[3:])
            node.update_arg(1, graph.call_function(_qd.dequantize_per_channel.default, whole))
        if values is None:
            return
        called = f"{name.removesuffix('weight')}bias" if name.endswith("weight") else f"{name}_bias"
        step = (scale_in * scale).expand(len(values)).contiguous()
        whole_bias = (values.double() / step.double()).round().clamp(LEAST, MOST).to(torch.int32)
        read = (
            _attribute(graph, state.put(called, whole_bias, 4 * len(values))),
            _attribute(graph, state.put(f"{called}_scale", step, 0)),
            _attribute(graph, state.put(f"{called}_zero_point", zeros, 0)),
        )
        node.update_arg(
            2, graph.call_function(_qd.dequantize_per_channel.default, (*read, 0, LEAST, MOST, torch.int32))
        )


def _attribute(graph: Graph, name: str) -> Node:
    return graph.create_node("get_attr", name)  # graph.get_attr() warns of what the module will only hold at the end


def _input_scale(node: Node) -> float:
    source = node.args[0]
    assert isinstance(source, Node)
    assert source.target is _qd.dequantize_per_tensor.default, "a quantised layer reads a quantised tensor"
    return float(str(source.args[1]))


def _raised(
    steps: torch.Tensor, scale: torch.Tensor, bias: torch.Tensor, scale_in: float
) -> tuple[torch.Tensor, torch.Tensor]:
    """Weight steps and scales under which no bias has more than :data:`ROOM` steps."""
    least = bias.abs().double() / (ROOM * scale_in)
    if len(scale) == 1 < len(bias):
        least = least.max().reshape(1)
    if not bool((least > scale).any()):
        return steps, scale
    raised = torch.maximum(scale.double(), least * (1 + 1e-6))
    ratio = (scale.double() / raised).reshape(-1, *(1,) * (steps.dim() - 1))
    return (steps.double() * ratio).round(), raised.float()
