"""A module with zeros among its weights, and how many in which layer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from torch import nn


@dataclass(frozen=True, slots=True, eq=False)
class Sparsified:
    """The ``step``-th of ``steps``.

    model: an ordinary module; its state dict has the names and shapes that it had. ``pattern``: "unstructured" or N:M.
    zeros: layer -> (weights that are zero, weights). ``held``: layer -> why it stays as it is.
    """

    model: nn.Module
    pattern: str
    zeros: Mapping[str, tuple[int, int]]
    held: Mapping[str, str]
    step: int = 1
    steps: int = 1

    @property
    def sparsity(self) -> float:
        """Share of zeros among the weights of the layers that have them."""
        return sum(z for z, _ in self.zeros.values()) / sum(n for _, n in self.zeros.values())

    def __str__(self) -> str:
        """A line a layer, then the whole."""
        longest = max(map(len, (*self.zeros, *self.held)))
        rows = [f"{n:<{longest}}  {z / w:6.1%} of {w:,} weights are 0" for n, (z, w) in self.zeros.items()]
        rows += [f"{n:<{longest}}  held: {why}" for n, why in self.held.items()]
        whole = sum(n for _, n in self.zeros.values())
        return "\n".join([*rows, f"{self.pattern}, {self.sparsity:.1%} of {whole:,} weights"])
