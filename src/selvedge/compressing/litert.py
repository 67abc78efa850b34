"""LiteRT's int8 specification as a PT2E quantizer: which tensor has which range, and which share one.

Source: https://ai.google.dev/edge/litert/models/quantization_spec. What it cannot say of a model is refused by layer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch.fx import GraphModule, Node

from ..capture.source import of_node
from ..errors import InvalidInput, NotSupported
from .layers import KEY, chain, is_float, weighted
from .operators import DROPOUTS, FIXED, OWN, SAME, WEIGHTED, aten, padded
from .pt2e import (
    Q_ANNOTATION_KEY,
    FixedQParamsQuantizationSpec,
    QuantizationAnnotation,
    QuantizationSpec,
    Quantizer,
    SharedQuantizationSpec,
)

WIDTHS = {8: 127, 4: 7}  # bits of a weight -> its largest step
FLOAT = 32
LOW, HIGH = -128, 127  # of an activation


@dataclass(frozen=True, slots=True)
class Wanted:
    """``bits``: of every weight; ``by_layer``: of some layers, 32 to leave one float. scales: layer -> what its weight
    is to have, [O]. per_tensor: one scale a weight instead of one an output channel."""

    bits: int = 8
    by_layer: Mapping[str, int] = field(default_factory=dict)
    scales: Mapping[str, torch.Tensor] = field(default_factory=dict)
    per_tensor: bool = False

    def of(self, layer: str) -> int:
        return self.by_layer.get(layer, self.bits)

    def check(self, layers: list[str], everything: set[str]) -> None:
        """Raise ``InvalidInput`` for bits that no layer can have, and for layers that are not there."""
        for name, bits in {"weights": self.bits, **{f"bits of {k}": v for k, v in self.by_layer.items()}}.items():
            if bits not in WIDTHS and (bits != FLOAT or name == "weights"):
                raise InvalidInput(name, bits, "give 8 or 4; 32 in bits= leaves a layer float")
        for layer, bits in self.by_layer.items():
            if layer not in everything:
                raise InvalidInput("bits", layer, f"no such layer; the layers with weights are {', '.join(layers)}")
            if layer not in layers and bits == 4:
                raise InvalidInput(f"bits of {layer}", bits, "it has no weight; give 8, or 32 to leave it float")


Make = Callable[..., Any]


class LiteRT(Quantizer):  # type: ignore[misc]
    """``activation``: makes what watches an activation; ``weight``: of a layer's bits and given scale, the same of its
    weight."""

    def __init__(self, wanted: Wanted, activation: Any, weight: Callable[[int, torch.Tensor | None], Any]) -> None:
        super().__init__()
        self.wanted, self.weight = wanted, weight
        self.activation = QuantizationSpec(
            torch.int8, activation, quant_min=LOW, quant_max=HIGH, qscheme=torch.per_tensor_affine
        )

    def annotate(self, model: GraphModule) -> GraphModule:
        layers = [name for name, _ in weighted(model.graph)]
        marked = {n.meta[KEY] for n in model.graph.nodes if KEY in n.meta}
        self.wanted.check(layers, marked)
        stays = self._float_end(model)
        for node in model.graph.nodes:
            layer = node.meta.get(KEY)
            if layer is None or Q_ANNOTATION_KEY in node.meta or self.wanted.of(layer) == FLOAT or node in stays:
                continue
            self._annotate(node, layer)
        return model

    def _float_end(self, model: GraphModule) -> set[Node]:
        """What has no weight, reads what a float layer gave, and has no int8 layer behind it: it stays float too. Its
        int8 copy would save nothing, and no gradient of the loss would come to that layer."""
        followed: set[Node] = set()
        for node in reversed(model.graph.nodes):
            if any(u in followed or self._int8(u) for u in node.users):
                followed.add(node)
        stays: set[Node] = set()
        for node in model.graph.nodes:
            if KEY not in node.meta or node in followed or node.target in WEIGHTED:
                continue
            if any(
                i in stays or (KEY in i.meta and self.wanted.of(i.meta[KEY]) == FLOAT) for i in node.all_input_nodes
            ):
                stays.add(node)
        return stays

    def _int8(self, node: Node) -> bool:
        """A layer with a weight, or one that was named, that becomes int8."""
        layer = node.meta.get(KEY)
        if layer is None or self.wanted.of(layer) == FLOAT:
            return False
        return node.target in WEIGHTED or layer in self.wanted.by_layer

    def validate(self, model: GraphModule) -> None:
        """Nothing is left to check: :meth:`annotate` refuses."""

    def _annotate(self, node: Node, layer: str) -> None:
        if node.target in WEIGHTED:
            self._weighted(node, layer)
        elif node.target in OWN or node.target in FIXED:
            output = self.activation if node.target in OWN else _fixed(*FIXED[node.target])
            parts = chain(node)
            _say(node, {i: self._input(i) for i in _tensors(node)}, output if len(parts) == 1 else None)
            self._rest(parts, output)
        elif node.target in SAME or (node.target is torch.ops.aten.dropout.default) or node.target in DROPOUTS:
            self._shared(node)
        elif getattr(node.target, "__name__", "") == "getitem":
            source = node.args[0]
            assert isinstance(source, Node)
            if Q_ANNOTATION_KEY in source.meta:
                _say(node, {}, SharedQuantizationSpec((_tensors(source)[0], source)))
        else:
            self._refuse(node, layer)

    def _weighted(self, node: Node, layer: str) -> None:
        x, weight = node.args[:2]
        assert isinstance(x, Node)
        if not isinstance(weight, Node) or weight.op != "get_attr":
            raise NotSupported(
                f"layer {layer}: a weight that is computed",
                of_node(node),
                f"leave it float with bits={{{layer!r}: 32}}",
            )
        bits = self.wanted.of(layer)
        most = WIDTHS[bits]
        scheme = torch.per_tensor_symmetric if self.wanted.per_tensor else torch.per_channel_symmetric
        spec = QuantizationSpec(
            torch.int8, self.weight(bits, self.wanted.scales.get(layer)), quant_min=-most, quant_max=most,
            qscheme=scheme, ch_axis=0,
        )  # fmt: skip
        parts = chain(node)
        _say(node, {x: self._input(x), weight: spec}, self.activation if len(parts) == 1 else None)
        self._rest(parts, self.activation)

    def _rest(self, parts: tuple[Node, ...], output: Any) -> None:
        """What is fused behind a layer: only what comes out at the end has a range."""
        for part in parts[1:]:
            _say(part, {}, output if part is parts[-1] else None)

    def _shared(self, node: Node) -> None:
        first, *others = _tensors(node)
        same = SharedQuantizationSpec((first, node))
        # A range that is fixed does not widen by what is put beside it: then the input is requantised.
        source = self.activation if _bursts(node, first, others) else self._input(first)
        _say(node, {first: source, **dict.fromkeys(others, same)}, same)

    def _input(self, source: Node) -> Any:
        """The range of what ``source`` gave, where it has one; a tensor of its own else."""
        said = source.meta.get(Q_ANNOTATION_KEY)
        if said is not None and said.output_qspec is not None:
            return SharedQuantizationSpec(source)
        return self.activation

    def _refuse(self, node: Node, layer: str) -> None:
        if node.target is aten.batch_norm.default:
            what = "a batch norm that is not right behind a convolution or linear layer"
        else:
            what = str(node.target)
        raise NotSupported(
            f"layer {layer}: {what} in int8", of_node(node), f"leave it float with bits={{{layer!r}: 32}}"
        )


def _bursts(node: Node, first: Node, others: list[Node]) -> bool:
    """Whether ``node`` may give what the fixed range of its first input does not hold: another tensor, or a pad's
    value."""
    fixed = _range(first)
    if not isinstance(fixed, FixedQParamsQuantizationSpec):
        return False
    if any(_range(other) != fixed for other in others):
        return True
    value = padded(node)
    low, high = ((end - fixed.zero_point) * fixed.scale for end in (LOW, HIGH))
    return value is not None and not low <= value <= high


def _range(node: Node) -> Any:
    """What was said of the range of ``node``'s output, followed to where it is not shared any more."""
    said = node.meta.get(Q_ANNOTATION_KEY)
    spec = None if said is None else said.output_qspec
    while isinstance(spec, SharedQuantizationSpec):
        at = spec.edge_or_node
        if isinstance(at, Node):
            spec = at.meta[Q_ANNOTATION_KEY].output_qspec
        else:
            spec = at[1].meta[Q_ANNOTATION_KEY].input_qspec_map[at[0]]
    return spec


def _tensors(node: Node) -> list[Node]:
    """The float tensors that ``node`` reads, each once."""
    return [i for i in dict.fromkeys(node.all_input_nodes) if is_float(i)]


def _fixed(scale: float, zero: int) -> Any:
    return FixedQParamsQuantizationSpec(torch.int8, scale, zero, LOW, HIGH, torch.per_tensor_affine)


def _say(node: Node, inputs: dict[Node, Any], output: Any) -> None:
    node.meta[Q_ANNOTATION_KEY] = QuantizationAnnotation(inputs, output, _annotated=True)
