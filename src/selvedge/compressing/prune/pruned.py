"""What a cut gives: the smaller module, its widths, and what was cut of what."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import nn

from .cut import Index, Kept, sliced
from .widths import Widths


@dataclass(frozen=True, slots=True, eq=False)
class Pruned:
    """A cut: the ``step``-th of ``steps``.

    model: the smaller module; of a :class:`selvedge.Pruner` the same object in every step. ``widths``: its widths,
    which with ``model.state_dict()`` are all there is to save.
    before, after: "macs", "parameters", "bytes", "channels" before this cut and behind it. ``share``: what is left of
    those of the whole model.
    kept: layer -> channels of its inputs and outputs that stayed, by their numbers before this cut.
    held: layer -> why its output channels are not cut.
    """

    model: nn.Module
    widths: Widths
    before: Mapping[str, int]
    after: Mapping[str, int]
    share: Mapping[str, float]
    kept: Mapping[str, Kept]
    held: Mapping[str, str]
    step: int = 1
    steps: int = 1
    indices: Mapping[str, Index] = field(default_factory=dict, repr=False)

    def carry(self, optimizer: torch.optim.Optimizer) -> torch.optim.Optimizer:
        """``optimizer``, with what it remembers (momentum, moments) cut as the parameters of ``model`` were.

        An optimiser that was made before the cut holds state of the old shapes, and raises in its next step without
        this; to begin afresh, make a new one instead.
        """
        names = {id(p): n for n, p in self.model.named_parameters()}
        for parameter, state in optimizer.state.items():
            index = self.indices.get(names.get(id(parameter), ""), ())
            for key, value in state.items():
                if (
                    isinstance(value, torch.Tensor)
                    and value.dim() == parameter.dim() > 0
                    and value.shape != parameter.shape
                ):
                    # Adafactor's moments of rows and columns have one value along the other axis.
                    state[key] = sliced(value, tuple((a, rows) for a, rows in index if value.shape[a] > 1))
        return optimizer

    def __str__(self) -> str:
        """A line a layer that was cut, then the whole."""
        longest = max((len(n) for n in self.kept), default=0)
        rows = []
        for name, rows_of in self.kept.items():
            width = self.widths.layers[name]
            cut = f"{width.inputs:5} -> {width.outputs:5}" + (f"  {width.groups} groups" if width.groups > 1 else "")
            rows.append(f"{name:{longest}}  {width.kind:12} {cut}")
            assert (len(rows_of.inputs), len(rows_of.outputs)) == (width.inputs, width.outputs)
        rows += [f"{n:{longest}}  held: {why}" for n, why in self.held.items()]
        left = ", ".join(f"{k} {self.after[k]:,} ({v:.1%})" for k, v in self.share.items())
        return "\n".join([*rows, left])
