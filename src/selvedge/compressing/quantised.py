"""What quantising gives: a module whose weights are int8 tensors, and what is known of it."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn
from torch.fx import Graph, GraphModule

from .export import quiet

KEY = "selvedge.quantised"
CULPRIT_DB = 0.5  # that a layer left float wins at least, for it to be named


@dataclass(frozen=True, slots=True)
class QuantisationWarning:
    """A model that quantises badly: ``agreement`` of its top answers with the float model's on the calibration data is
    below ``wanted``; ``layer`` hurts most: left float alone, the output's noise falls by ``gain_db``. None where no
    layer wins :data:`CULPRIT_DB`."""

    agreement: float
    wanted: float
    layer: str | None
    gain_db: float

    def __str__(self) -> str:
        blame = (
            "no layer hurts alone: try sv.QAT, observer='mse', or samples nearer to what it will meet"
            if self.layer is None
            else f"layer {self.layer} hurts most ({self.gain_db:+.1f} dB if it alone stays float)"
        )
        return (
            f"top-1 agreement with the float model is {self.agreement:.1%} on the calibration data, below "
            f"{self.wanted:.1%}: {blame}"
        )


@dataclass(frozen=True, slots=True)
class Facts:
    """``bits``: of each layer with a weight, 32 for float. ``bytes``, ``float_bytes``: of the parameters as a file
    holds them: weights at their bits, biases in int32, a float32 scale an output channel; and all in float32.
    ``samples``: it was calibrated on. ``agreement``: share of those whose top answer stayed, None where there is none.
    prepared: the calibrated graph before it was converted; its float weights are what a report compares with.
    """

    bits: Mapping[str, int]
    bytes: int
    float_bytes: int
    samples: int
    observer: str
    agreement: float | None = None
    warnings: tuple[QuantisationWarning, ...] = ()
    prepared: GraphModule | None = field(default=None, repr=False, compare=False)


class Quantised(GraphModule):
    """A module that computes in the quantised numbers: float operators between quantize and dequantize, as
    ``torch.ops.quantized_decomposed`` has them. Its state holds int8 weights, int32 biases and float32 scales, under
    the names of the model that it was made of; its parameters are those of the layers that stayed float."""

    def __deepcopy__(self, memo: dict[int, Any]) -> GraphModule:
        with quiet():  # torch warns of itself
            return super().__deepcopy__(memo)

    def __repr__(self) -> str:
        """The facts in one line; the computation is in ``code``."""
        facts = self.facts
        counts = Counter(facts.bits.values())
        layers = ", ".join(f"{counts[b]} {'float' if b == 32 else f'of {b} bits'}" for b in sorted(counts))
        agreed = "" if facts.agreement is None else f", agreement {facts.agreement:.1%}"
        return f"<Quantised: layers: {layers or 'none'}; {facts.bytes:,} of {facts.float_bytes:,} B{agreed}>"

    __str__ = __repr__

    @property
    def facts(self) -> Facts:
        found = self.meta[KEY]
        assert isinstance(found, Facts)
        return found

    @property
    def bits(self) -> Mapping[str, int]:
        """Layer -> bits of its weight."""
        return self.facts.bits

    @property
    def warnings(self) -> tuple[QuantisationWarning, ...]:
        """What is not as it should be; empty where all is well."""
        return self.facts.warnings

    @property
    def agreement(self) -> float | None:
        """Share of the calibration samples whose top answer is the float model's; None for a model without classes."""
        return self.facts.agreement


def assembled(graph: Graph, state: Mapping[str, tuple[torch.Tensor, bool]], facts: Facts) -> Quantised:
    """A module of ``graph`` and its ``state``: name -> (tensor, whether it is saved)."""
    root = nn.Module()
    for name, (tensor, saved) in state.items():
        owner, last = _owner(root, name), name.rpartition(".")[2]
        if isinstance(tensor, nn.Parameter):
            owner.register_parameter(last, nn.Parameter(tensor.detach().clone()))
        else:
            owner.register_buffer(last, tensor, persistent=saved)
    made = Quantised(root, graph, "Quantised")
    for name, (_, saved) in state.items():
        if not saved:  # copied into the new module as any other
            _owner(made, name)._non_persistent_buffers_set.add(name.rpartition(".")[2])
    made.meta[KEY] = facts
    made.graph.lint()
    return made


def _owner(root: nn.Module, name: str) -> nn.Module:
    """The module that holds ``name``, made where it is not there."""
    for part in name.split(".")[:-1]:
        if not isinstance(getattr(root, part, None), nn.Module):
            root.add_module(part, nn.Module())
        root = getattr(root, part)
    return root


def packed(count: int, bits: int) -> int:
    """Bytes of ``count`` weights of ``bits`` each."""
    return math.ceil(count * bits / 8)
