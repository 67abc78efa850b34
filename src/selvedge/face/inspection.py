"""A model looked into: its layers, what they cost, what can be trained, and what is missing to capture it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

import torch

from .. import ir
from ..capture import Captured, capture
from ..capture.decompose import is_decomposed
from ..capture.export import export
from ..capture.lower.table import LOWERINGS
from ..capture.reading import checked
from ..capture.source import of_trace
from ..device.sizes import format_bytes
from ..errors import NotSupported
from .model import NamedModel

VIEWS = ("reshape", "transpose")


@dataclass(slots=True)
class Layer:
    """``ops``: what it computes, what follows it without parameters included. ``shape``: of its output, PyTorch's axis
    order. ``activation_bytes``: of that output. ``trains``: the update policy that begins with it, or ""."""

    name: str
    ops: list[str] = field(default_factory=list)
    parameters: int = 0
    shape: tuple[int, ...] = ()
    macs: int = 0
    activation_bytes: int = 0
    trains: str = ""


@dataclass(frozen=True, slots=True)
class Missing:
    """An operator that cannot be captured; ``where``: the user's source line."""

    op: str
    where: str
    what_to_do: str


@dataclass(frozen=True, slots=True)
class Inspection:
    """``layers`` is empty where something is ``missing``."""

    name: str
    inputs: tuple[tuple[int, ...], ...]
    layers: tuple[Layer, ...]
    missing: tuple[Missing, ...]
    parameters: int
    trainable: int

    def to_dict(self) -> dict[str, Any]:
        """The figures, for machines."""
        return {
            "model": self.name,
            "inputs": [list(s) for s in self.inputs],
            "supported": not self.missing,
            "parameters": self.parameters,
            "trainable_parameters": self.trainable,
            "macs": sum(layer.macs for layer in self.layers),
            "layers": [asdict(layer) for layer in self.layers],
            "missing": [asdict(m) for m in self.missing],
        }

    def __str__(self) -> str:
        given = " and ".join("x".join(map(str, s)) for s in self.inputs)
        lines = [f"{self.name}: {self.parameters:,} parameters, {self.trainable:,} can be trained; input {given}", ""]
        if self.missing:
            lines.append("cannot be captured yet:")
            lines += [f"  {m.op} at {m.where or 'an unknown line'}: {m.what_to_do}" for m in self.missing]
            return "\n".join(lines)
        names = [_short(layer.name, 28) for layer in self.layers]
        width = max(map(len, ["layer", *names]))
        head = f"{'layer':<{width}}{'parameters':>11}{'output':>14}{'MACs':>14}{'activation':>11}  {'trains':<8}"
        lines.append(f"{head}ops")
        for name, layer in zip(names, self.layers, strict=True):
            shape = "x".join(map(str, layer.shape))
            ops = _short(" ".join(layer.ops), 100 - len(head))
            lines.append(
                f"{name:<{width}}{layer.parameters:>11,}{shape:>14}{layer.macs:>14,}"
                f"{format_bytes(layer.activation_bytes):>11}  {layer.trains:<8}{ops}"
            )
        macs, largest = sum(layer.macs for layer in self.layers), max(layer.activation_bytes for layer in self.layers)
        lines += ["", f"in all {macs:,} MACs to predict; the largest activation is {format_bytes(largest)}"]
        lines.append("next: selvedge plan MODEL --device NAME --update last:K trains the last K layers")
        return "\n".join(lines)


def inspect(named: NamedModel) -> Inspection:
    """Raises ``SelvedgeError`` where the model cannot even be traced; a missing operator is part of the result."""
    inputs = checked(named.example)
    shapes = tuple(tuple(x.shape) for x in inputs)
    program = export(named.model, inputs)
    parameters = sum(p.numel() for p in program.parameters())
    missing = _missing(program.graph)
    captured: Captured | None = None
    if not missing:
        try:
            captured = capture(named.model, inputs)
        except NotSupported as error:
            missing = [Missing(error.op, error.where, error.what_to_do)]
    if captured is None:
        trainable = sum(p.numel() for p in program.parameters() if p.requires_grad)
        return Inspection(named.name, shapes, (), tuple(missing), parameters, trainable)
    trainable = sum(captured.state[n].size for n in captured.trainable)
    return Inspection(named.name, shapes, tuple(_layers(captured)), (), parameters, trainable)


def _missing(graph: torch.fx.Graph) -> list[Missing]:
    """Every operator that reads a tensor of the model and is not lowered, nor made of what is; once a source line."""
    live: set[torch.fx.Node] = set()
    found: dict[tuple[str, str], Missing] = {}
    for node in graph.nodes:
        if node.op == "placeholder" or any(n in live for n in node.all_input_nodes):
            live.add(node)
        op = str(node.target)
        if node not in live or not isinstance(node.target, torch._ops.OpOverload) or op in LOWERINGS:
            continue
        if op.startswith("aten._assert_") or is_decomposed(node):
            continue
        where = of_trace(node.meta.get("stack_trace"))
        found[op, where] = Missing(op, where, "write it with supported operations, or keep it outside the model")
    return list(found.values())


def _layers(captured: Captured) -> list[Layer]:
    """Nodes that read a layer's state belong to it; those that read none, to the layer whose result they read."""
    owner = {name: layer.name for layer in captured.layers for name in layer.names}
    made: dict[str, Layer] = {}
    home: dict[ir.Node, Layer] = {}  # of nodes that depend on an input
    of_state: dict[ir.Node, str] = {}  # the layer of nodes that depend on state alone
    for node in captured.graph.nodes():
        if node.op == "input":
            home[node] = made.setdefault("(input)", Layer("(input)"))
            home[node].shape, home[node].activation_bytes = _face(node), node.specs[0].bytes
        elif node.op == "state":
            of_state[node] = owner.get(str(node.attrs["name"]), "")
        elif node.op != "constant" and not any(v.node in home for v in node.inputs):
            of_state[node] = next((of_state[v.node] for v in node.inputs if of_state.get(v.node)), "")
        elif node.op != "constant":
            own = next((of_state[v.node] for v in node.inputs if of_state.get(v.node)), "")
            before = next(home[v.node] for v in node.inputs if v.node in home)
            home[node] = made.setdefault(own, Layer(own)) if own else before
            _count(home[node], node)
    trained = [x for x in captured.layers if set(x.names) & set(captured.trainable)]
    for k, layer in enumerate(reversed(trained), 1):
        if layer.name in made:
            made[layer.name].trains = f"last:{k}"
            made[layer.name].parameters = sum(captured.state[n].size for n in layer.names)
    return [x for x in made.values() if x.ops or x.name == "(input)"]


def _count(layer: Layer, node: ir.Node) -> None:
    """A layer's output is that of its last product, or of its first operation where it has none."""
    cost = ir.TABLE[node.op].cost([v.spec for v in node.inputs], node.specs, node.attrs)
    layer.macs += cost.macs
    if layer.name != "(input)" and (cost.macs or not layer.shape):
        layer.shape, layer.activation_bytes = _face(node), node.specs[0].bytes
    if node.op not in (*VIEWS, *layer.ops):
        layer.ops.append(node.op)


def _face(node: ir.Node) -> tuple[int, ...]:
    """Images as [N, C, H, W]."""
    shape = node.specs[0].shape
    return (shape[0], shape[-1], *shape[1:-1]) if len(shape) == 4 else shape


def _short(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"
