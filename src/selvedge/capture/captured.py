"""What capture hands on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from .. import ir
from ..artifact.folding import Fold, unfold
from ..artifact.layout import Layout
from ..errors import InvalidInput
from .layers import Layer


@dataclass(frozen=True, slots=True)
class Captured:
    """A model as a graph and its state.

    graph: the ``predict`` graph: inputs "x", "x1", ...; outputs "output", "output1", ... .
    state: PyTorch name -> array in PyTorch's layout, for the state of the graph, in the order of ``state_dict()``
        (under folded norms: the folded values).
    constant: the other entries of ``state_dict()``, which the graph does not read or which folding made constant.
    trainable: the names in ``state`` that ``requires_grad``.
    aliases: another name of a shared tensor -> the name under which it is in ``state`` or ``constant``.
    order: every name of ``state_dict()``.
    layouts: input or output name -> how its array is stored.
    layers: in order of execution.
    folds: what "folded" norms folded; empty when they are frozen.
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

    def load(self, state_dict: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """The inverse of :meth:`state_dict`: stored arrays. Raises ``InvalidInput`` for a missing, extra or
        mis-shaped entry."""
        checked(state_dict, self.order, {n: a.shape for n, a in {**self.constant, **self.state}.items()}, self.aliases)
        whole = {name: np.asarray(a) for name, a in state_dict.items()}
        for fold in self.folds:
            whole.update(fold.fold(whole))
        return {n: self.layout(n).store(whole[n].astype(self.state[n].dtype)) for n in self.state}


def checked(
    given: Mapping[str, np.ndarray],
    order: tuple[str, ...],
    shapes: Mapping[str, tuple[int, ...]],
    aliases: Mapping[str, str],
) -> None:
    """Raise ``InvalidInput`` unless ``given`` has exactly the names of ``order`` in their shapes."""
    missing, extra = [n for n in order if n not in given], [n for n in given if n not in order]
    if missing:
        raise InvalidInput("state dict", f"without {', '.join(missing[:3])}", f"it needs {len(missing)} more entries")
    if extra:
        raise InvalidInput("state dict", f"with unknown {', '.join(extra[:3])}", f"remove {len(extra)} entries")
    for name in order:
        expected = shapes[aliases.get(name, name)]
        if tuple(given[name].shape) != expected:
            raise InvalidInput(f"state dict entry {name}", f"of shape {tuple(given[name].shape)}", f"give {expected}")
