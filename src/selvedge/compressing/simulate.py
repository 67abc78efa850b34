"""A calibrated graph run as if it were quantised, any layer left float and any weight at other bits: nothing is
converted.

The arithmetic is that of ``torch.fake_quantize_*``, which the converted graph agrees with but for its int32 biases.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import torch
from torch.fx import GraphModule, Interpreter, Node
from torch.utils._pytree import tree_leaves

from ..errors import InvalidInput
from .layers import KEY, weighted
from .litert import FLOAT, WIDTHS
from .ranges import weight_scale
from .watch import is_watcher


class Simulated:
    """``prepared``: what :func:`torchao...prepare_pt2e` made, calibrated, or trained with fake quantisation."""

    def __init__(self, prepared: GraphModule) -> None:
        self.prepared = prepared
        self.weights: dict[str, str] = {}  # what watches a weight -> its layer
        self.outputs: dict[str, str] = {}  # what watches an activation -> the layer that gave it
        for layer, node in weighted(prepared.graph):
            source = node.args[1]
            if isinstance(source, Node) and is_watcher(prepared, source):
                self.weights[source.name] = layer
        for node in prepared.graph.nodes:
            if is_watcher(prepared, node) and node.name not in self.weights:
                source = node.args[0]
                assert isinstance(source, Node)
                self.outputs[node.name] = source.meta.get(KEY, source.name)

    @property
    def layers(self) -> list[str]:
        """The layers that are quantised, in order of execution."""
        return list(dict.fromkeys(self.weights.values()))

    @torch.no_grad()
    def __call__(
        self, *inputs: torch.Tensor, floats: Collection[str] = (), bits: Mapping[str, int] | None = None,
        activations: bool = True,
    ) -> torch.Tensor:  # fmt: skip
        """The output, with the weight and the output of ``floats`` left float, weights at ``bits`` (32: float) where
        they say so, and no activation quantised unless ``activations``."""
        out = _Run(self, floats, bits or {}, activations).run(*inputs)
        return first(out)


class _Run(Interpreter):
    def __init__(
        self, simulated: Simulated, floats: Collection[str], bits: Mapping[str, int], activations: bool
    ) -> None:
        super().__init__(simulated.prepared)
        self.of, self.floats, self.bits, self.activations = simulated, floats, bits, activations

    def run_node(self, n: Node) -> Any:
        if n.name in self.of.weights:
            layer, (weight,) = self.of.weights[n.name], self.fetch_args_kwargs_from_env(n)[0]
            bits = FLOAT if layer in self.floats else self.bits.get(layer)
            return weight if bits == FLOAT else _stepped(weight, self._watcher(n), bits)
        if n.name in self.of.outputs:
            (x,) = self.fetch_args_kwargs_from_env(n)[0]
            passed = not self.activations or self.of.outputs[n.name] in self.floats
            return x if passed else _stepped(x, self._watcher(n), None)
        return super().run_node(n)

    def _watcher(self, node: Node) -> Any:
        return self.of.prepared.get_submodule(str(node.target))


def _stepped(x: torch.Tensor, watcher: Any, bits: int | None) -> torch.Tensor:
    seen = getattr(watcher, "activation_post_process", watcher)
    low, high = seen.quant_min, seen.quant_max
    if bits is not None and WIDTHS[bits] != high:
        low, high = -WIDTHS[bits], WIDTHS[bits]
        scale, zero = weight_scale(x, high, seen.method), torch.zeros(len(x), dtype=torch.int32)
    else:
        scale, zero = watcher.calculate_qparams()
    if seen.qscheme == torch.per_channel_symmetric:
        return torch.fake_quantize_per_channel_affine(x, scale.float(), zero.int(), 0, low, high)
    return torch.fake_quantize_per_tensor_affine(x, float(scale), int(zero), low, high)


def first(out: Any) -> torch.Tensor:
    """The first tensor of what a model returns: itself, or in a tuple, list or dict of them. Raises
    :class:`InvalidInput`."""
    leaves = tree_leaves(out)
    odd = [leaf for leaf in leaves if leaf is not None and not isinstance(leaf, torch.Tensor | int | float | str)]
    tensors = [leaf for leaf in leaves if isinstance(leaf, torch.Tensor)]
    if odd or not tensors:
        told = f"giving a {type(odd[0] if odd else out).__name__}"
        raise InvalidInput("model", told, "its forward must return a tensor, or a tuple, list or dict of them")
    return tensors[0]
