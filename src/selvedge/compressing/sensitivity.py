"""What it costs to give one layer's weight fewer bits: measured on samples, one layer at a time, all else float."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch.fx import GraphModule
from torch.nn import functional

from .export import Inputs
from .simulate import Simulated

Progress = Callable[[int, int, str], None]


def sensitivity(
    prepared: GraphModule,
    data: list[Inputs],
    bits: Sequence[int],
    labels: torch.Tensor | None = None,
    on_progress: Progress = lambda done, total, name: None,
) -> dict[str, dict[int, float]]:
    """Layer -> bits -> cost >= 0.

    The noise at the output over its signal, sum (y - y')^2 / sum y^2; with ``labels`` [N] what the mean cross-entropy
    rises by, 0 where it falls.
    """
    simulated = Simulated(prepared)
    floats = dict.fromkeys(simulated.layers, 32)

    def run(chosen: dict[str, int]) -> torch.Tensor:
        return torch.cat([simulated(*b, bits=chosen, activations=False) for b in data]).double()

    right = run(floats)
    signal = float(right.square().sum()) or 1.0
    before = 0.0 if labels is None else float(functional.cross_entropy(right, labels))
    found: dict[str, dict[int, float]] = {}
    total = len(simulated.layers) * len(bits)
    for layer in simulated.layers:
        found[layer] = {}
        for width in bits:
            out = run({**floats, layer: width})
            if labels is None:
                cost = float((out - right).square().sum()) / signal
            else:
                cost = max(0.0, float(functional.cross_entropy(out, labels)) - before)
            found[layer][width] = cost
            on_progress(sum(map(len, found.values())), total, f"{layer} at {width} bits")
    return found
