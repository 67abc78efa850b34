"""Which part of a weight learns: its first input channels, and how their gradient alone is made.

Lin et al., "On-Device Training Under 256KB Memory" (arXiv:2206.15472), sparse update: of a layer that learns in part,
only those channels of its input are saved, and gradient and optimiser state have the part's shape.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from .. import ir
from ..artifact.layout import Layout


@dataclass(frozen=True, slots=True)
class Part:
    """The first ``count`` of the ``of`` input channels of a weight, which lie on ``axis`` of its stored shape."""

    axis: int
    count: int
    of: int

    def label(self, name: str) -> str:
        """As plans print it: "9.weight[:12 of 48]"."""
        return f"{name}[:{self.count} of {self.of}]"

    def face(self, whole: Layout) -> tuple[int, int]:
        """(PyTorch's axis, the channels on it that learn)."""
        added = len(whole.shape) - len(whole.perm)  # axes of one that the stored shape has in front
        return whole.perm[self.axis - added], self.count

    def spec(self, whole: ir.Spec) -> ir.Spec:
        """What learns of a weight of spec ``whole``."""
        return ir.Spec(_cut(whole.shape, self.axis, self.count), whole.dtype)

    def layout(self, whole: Layout) -> Layout:
        """How PyTorch's array of the part is stored."""
        face = _cut(whole.face, *self.face(whole))
        return Layout(whole.perm, _cut(whole.shape, self.axis, self.count), face)


def _cut(shape: tuple[int, ...], axis: int, count: int) -> tuple[int, ...]:
    return (*shape[:axis], count, *shape[axis + 1 :])


def channels(graph: ir.Graph, names: Iterable[str]) -> dict[str, Part | str]:
    """For each of the parameters ``names`` of ``graph``: all its input channels as a part, or why it has none.

    Every reader of the parameter has to be a convolution without groups or a linear layer that takes it for its weight.
    """
    wanted = {graph.state[name]: name for name in names}
    found: dict[str, set[int | str]] = {name: set() for name in wanted.values()}
    for node in graph.nodes():
        for position, value in enumerate(node.inputs):
            if value in wanted:
                found[wanted[value]].add(_axis(node, position))
    return {name: _whole(graph.state[name], axes) for name, axes in found.items()}


def _whole(leaf: ir.Value, axes: set[int | str]) -> Part | str:
    said = sorted(a for a in axes if isinstance(a, str))
    if said:
        return said[0]
    if len(axes) != 1:
        return "its readers take different axes for channels" if axes else "nothing reads it"
    (axis,) = axes
    assert isinstance(axis, int)
    return Part(axis, leaf.shape[axis], leaf.shape[axis])


def _axis(node: ir.Node, position: int) -> int | str:
    """The axis of the input channels, or why there is none."""
    if node.op == "conv2d" and position == 1:
        groups = node.attrs["groups"]
        if groups == 1:
            return 2
        single = node.inputs[1].shape[2] == 1
        return "a depthwise weight has one input channel a group" if single else f"its convolution has {groups} groups"
    if node.op == "matmul" and position == 1 and len(node.inputs[1].shape) == 2:
        return 1 if node.attrs["trans_b"] else 0
    return "it is no weight of a convolution or linear layer"


def part_of_gradient(gradient: ir.Value, part: Part) -> ir.Value:
    """The gradient of ``part`` alone, out of the sum of weight gradients that is the whole's: of each input, only the
    part's channels are read."""
    node = gradient.node
    if node.op == "add":
        return ir.apply("add", *(part_of_gradient(v, part) for v in node.inputs), where=node.where)
    if node.op == "conv2d_weight_grad" and part.axis == 2:
        x, dy = node.inputs
        return _again(node, _first(x, 3, part.count), dy)
    assert node.op == "matmul", node
    a, b = node.inputs
    if part.axis == 0:
        return _again(node, _first(a, 1 if node.attrs["trans_a"] else 0, part.count), b)
    return _again(node, a, _first(b, 0 if node.attrs["trans_b"] else 1, part.count))


def _again(node: ir.Node, *inputs: ir.Value) -> ir.Value:
    attrs: Mapping[str, object] = node.attrs
    return ir.apply(node.op, *inputs, where=node.where, **attrs)


def _first(x: ir.Value, axis: int, count: int) -> ir.Value:
    stops = _cut(x.shape, axis, count)
    return ir.apply("slice", x, starts=(0,) * len(stops), stops=stops, steps=(1,) * len(stops), where=x.node.where)
