"""How well a quantised model agrees with its float one, and the layer that hurts most: measured, one layer at a
time."""

from __future__ import annotations

import math

import torch
from torch import nn
from torch.fx import GraphModule

from .export import Inputs
from .quantised import CULPRIT_DB, QuantisationWarning
from .simulate import Simulated, first


def sqnr(right: torch.Tensor, other: torch.Tensor) -> float:
    """Signal to quantisation noise, 10 log10(sum x^2 / sum (x - x')^2), dB; inf where nothing differs."""
    right, other = right.detach(), other.detach()
    return decibel(float(right.double().square().sum()), float((right.double() - other.double()).square().sum()))


def decibel(signal: float, noise: float) -> float:
    """10 log10 of their ratio."""
    if noise == 0:
        return math.inf
    return 10 * math.log10(signal / noise) if signal > 0 else -math.inf


@torch.no_grad()
def outputs(model: nn.Module, data: list[Inputs]) -> torch.Tensor:
    """The first output on all samples, in eval mode; the model's training flags are put back."""
    flags = [(m, m.training) for m in model.modules()]
    try:
        if not isinstance(model, GraphModule):
            model.eval()
        return torch.cat([first(model(*batch)) for batch in data])
    finally:
        for module, training in flags:
            module.training = training


def agreement(model: nn.Module, quantised: nn.Module, data: list[Inputs]) -> float | None:
    """Share of samples (and places) whose top answer along axis 1 is the same; None for outputs without classes."""
    right, other = outputs(model, data), outputs(quantised, data)
    if right.dim() < 2 or right.shape[1] < 2:
        return None
    return float((right.argmax(1) == other.argmax(1)).double().mean())


def gains(prepared: GraphModule, data: list[Inputs]) -> dict[str, float]:
    """Layer -> dB of output SQNR that are won if it alone stays float: its weight and what it gives."""
    simulated = Simulated(prepared)
    right = torch.cat([simulated(*b, floats=simulated.layers, bits={}, activations=False) for b in data])
    whole = sqnr(right, torch.cat([simulated(*b) for b in data]))
    found = {}
    for layer in simulated.layers:
        alone = sqnr(right, torch.cat([simulated(*b, floats=(layer,)) for b in data]))
        found[layer] = alone - whole if math.isfinite(whole) else 0.0
    return found


def judged(prepared: GraphModule, data: list[Inputs], share: float, wanted: float) -> QuantisationWarning:
    """The warning of a model that quantises badly."""
    won = gains(prepared, data)
    layer = max(won, key=lambda name: won[name], default=None)
    if layer is None:  # all layers are float, or none has a weight
        return QuantisationWarning(share, wanted, None, 0.0)
    return QuantisationWarning(share, wanted, layer if won[layer] >= CULPRIT_DB else None, won[layer])
