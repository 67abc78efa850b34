"""What each layer gives, float or quantised, on the same samples."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch.fx import Graph, GraphModule, Interpreter, Node

from .export import Inputs, quiet
from .layers import ends
from .simulate import first

_DEQUANTIZE = torch.ops.quantized_decomposed.dequantize_per_tensor.default


@dataclass(frozen=True, slots=True)
class Steps:
    """The quantised numbers of an activation: (step - zero_point) * scale, step in low..high."""

    scale: float
    zero_point: int
    low: int
    high: int

    @property
    def ends(self) -> tuple[float, float]:
        return (self.low - self.zero_point) * self.scale, (self.high - self.zero_point) * self.scale


def steps(graph: GraphModule) -> dict[str, Steps]:
    """Layer -> the steps of its output, where it is quantised."""
    found = {}
    for layer, node in ends(graph.graph).items():
        read = _dequantised(node)
        if read is not None:
            scale, zero, low, high = read.args[1:5]
            found[layer] = Steps(float(str(scale)), int(str(zero)), int(str(low)), int(str(high)))
    return found


@torch.no_grad()
def activations(graph: GraphModule, batch: Inputs) -> tuple[dict[str, torch.Tensor], torch.Tensor]:
    """(layer -> its output, the model's output) on one batch; quantised outputs in float again."""
    wanted = {(_dequantised(node) or node).name: layer for layer, node in ends(graph.graph).items()}
    run = _Kept(graph, wanted)
    out = first(run.run(*batch))
    return run.kept, out


def exposed(graph: GraphModule) -> tuple[GraphModule, tuple[str, ...]]:
    """A module that returns what :func:`activations` keeps, and the layers in the order of its results; the first one
    is the model's output, under the name "output"."""
    made, places = Graph(), dict[Node, Node]()
    output = made.graph_copy(graph.graph, places)
    while isinstance(output, tuple | list):
        output = output[0]
    kept = {"output": output} | {n: places[_dequantised(node) or node] for n, node in ends(graph.graph).items()}
    made.output(tuple(kept.values()))
    with quiet():
        return GraphModule(graph, made), tuple(kept)


class _Kept(Interpreter):
    def __init__(self, graph: GraphModule, wanted: dict[str, str]) -> None:
        super().__init__(graph)
        self.wanted, self.kept = wanted, dict[str, torch.Tensor]()

    def run_node(self, n: Node) -> Any:
        out = super().run_node(n)
        if n.name in self.wanted and isinstance(out, torch.Tensor):
            self.kept[self.wanted[n.name]] = out.detach()
        return out


def _dequantised(node: Node) -> Node | None:
    """Where what ``node`` gives is read back from its integers."""
    for user in node.users:
        if str(user.target) == "quantized_decomposed.quantize_per_tensor.default":
            return next((u for u in user.users if u.target is _DEQUANTIZE), None)
    return None


@dataclass(slots=True)
class Tally:
    """Sums over batches of what a quantised activation is off by."""

    signal: float = 0.0
    noise: float = 0.0
    absolute: float = 0.0
    count: int = 0
    largest: float = 0.0
    clipped: int = 0
    low: float = math.inf
    high: float = -math.inf

    def add(self, right: torch.Tensor, other: torch.Tensor, ends: tuple[float, float] | None) -> None:
        """``right``, ``other``: the same activation in float and quantised."""
        wide, off = right.double(), right.double() - other.double()
        self.signal += float(wide.square().sum())
        self.noise += float(off.square().sum())
        self.absolute += float(off.abs().sum())
        self.count += off.numel()
        self.largest = max(self.largest, float(off.abs().max()))
        self.low, self.high = min(self.low, float(wide.min())), max(self.high, float(wide.max()))
        if ends is not None:
            room = 0.5 * (ends[1] - ends[0]) / 255  # what rounds to the last step is not cut off
            self.clipped += int(((wide < ends[0] - room) | (wide > ends[1] + room)).sum())
