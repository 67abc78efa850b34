"""What capture hands on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import ir
from ..artifact.arrays import state_dict as as_state_dict
from ..artifact.folding import Fold, folded, unfold
from ..artifact.layout import Layout
from .layers import Layer


@dataclass(frozen=True, slots=True)
class Captured:
    """A model as a graph and its state.

    graph: the ``predict`` graph: inputs "x", "x1", ...; outputs "output", "output1", ... .
    state: PyTorch name -> array in PyTorch's layout, for the state of the graph, in the order of ``state_dict()``
        (under folded norms: the folded values; then a folded bias that PyTorch has no name for).
    constant: the other entries of ``state_dict()``, which the graph does not read or which folding made constant.
    trainable: the names in ``state`` that ``requires_grad``.
    aliases: another name of a shared tensor -> the name under which it is in ``state`` or ``constant``.
    order: every name of ``state_dict()``.
    layouts: input or output name -> how its array is stored.
    layers: in order of execution.
    learning: what the model does while it learns, where that is something else than ``graph``: over leaves of the same
        names and the count of masks drawn; its outputs, and the new values of the buffers it moves.
    folds: what "folded" norms folded; empty when they are frozen. batch_norms: how many there were to fold.
    """

    graph: ir.Graph
    state: Mapping[str, np.ndarray]
    constant: Mapping[str, np.ndarray]
    trainable: tuple[str, ...]
    aliases: Mapping[str, str]
    order: tuple[str, ...]
    layouts: Mapping[str, Layout]
    layers: tuple[Layer, ...]
    norms: str
    folds: tuple[Fold, ...]
    batch_norms: int = 0
    learning: ir.Graph | None = None

    def layout(self, name: str) -> Layout:
        """How state ``name`` is stored."""
        layout: Layout = self.graph.state[name].node.attrs["layout"]
        return layout

    def stored(self) -> dict[str, np.ndarray]:
        """The state in its stored layout, ready for the interpreter."""
        return {name: self.layout(name).store(array) for name, array in self.state.items()}

    def state_dict(self, stored: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """PyTorch's whole ``state_dict()`` out of stored state: unfolded, shared entries repeated, nothing missing.

        Entries of ``stored`` that are not the model's (the optimiser's) are passed over.
        """
        known = {name: self.layout(name).restore(stored[name]) for name in self.state}
        whole = unfold(self.folds, {**self.constant, **known})
        return {name: whole[self.aliases.get(name, name)] for name in self.order}

    def load(self, state_dict: Mapping[str, Any]) -> dict[str, np.ndarray]:
        """The inverse of :meth:`state_dict`: stored arrays.

        Raises ``InvalidInput`` for an entry that is missing, extra, mis-shaped, not finite, or not to be folded.
        """
        whole = folded(self.folds, self.checked(state_dict))
        return {n: self.layout(n).store(whole[n]) for n in self.state}

    def checked(self, state_dict: Mapping[str, Any]) -> dict[str, np.ndarray]:
        """``state_dict`` as arrays of this model's shapes and dtypes. Raises ``InvalidInput``."""
        arrays = {**self.constant, **self.state}
        held = {name: arrays[self.aliases.get(name, name)] for name in self.order}
        return as_state_dict(state_dict, {n: (a.shape, a.dtype) for n, a in held.items()}, self.aliases)
