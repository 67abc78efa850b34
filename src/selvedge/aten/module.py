"""A graph as an ``nn.Module`` whose forward computes it in ATen operators."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from ..artifact.layout import Layout
from ..ir import Graph, Value
from ..ir.expand import in_rows
from .sheet import Sheet
from .table import LACKS, ROWS


class Computed(nn.Module):
    """forward(inputs in the order of ``takes``, state after them) -> a tuple in the order of ``gives``.

    Arrays are as PyTorch has them: images NCHW, weights under the layouts of their names. State that is new comes out
    under its name. Constants are buffers.
    """

    def __init__(self, graph: Graph, layouts: Mapping[str, Layout], *, persistent: bool = True) -> None:
        """layouts: of inputs and outputs that are stored in another order of axes than PyTorch's. persistent: constants
        are in ``state_dict()``. Raises :class:`NotSupported` for a row that has no meaning in ATen operators."""
        super().__init__()
        self._persistent = persistent
        self._graph = in_rows(graph, ROWS, LACKS, "ATen operators")
        self._nodes = self._graph.nodes()
        self._layouts = {
            **{n: v.node.attrs["layout"] or Layout.of(v.shape) for n, v in graph.state.items()},
            **{n: Layout.of(v.shape) for n, v in {**graph.inputs, **graph.outputs}.items() if n not in graph.state},
            **layouts,
        }
        self.takes = (*graph.inputs, *graph.state)
        self.gives = tuple(graph.outputs)
        self._constants: dict[tuple[str, tuple[int, ...], bytes], str] = {}
        with torch.no_grad():  # finds its constants: a tensor made while it is exported would be computed each time
            self.forward(*(torch.zeros(self.face(name), dtype=self.dtype(name)) for name in self.takes))

    def _leaf(self, name: str) -> Value:
        return self._graph.inputs[name] if name in self._graph.inputs else self._graph.state[name]

    def face(self, name: str) -> tuple[int, ...]:
        """PyTorch's shape of an input or of state."""
        return self._layouts[name].face

    def dtype(self, name: str) -> torch.dtype:
        found = getattr(torch, self._leaf(name).dtype)
        assert isinstance(found, torch.dtype)
        return found

    def _held(self, array: np.ndarray) -> Tensor:
        key = array.dtype.name, array.shape, array.tobytes()
        if key not in self._constants:
            name = self._constants[key] = f"constant_{len(self._constants)}"
            made = torch.from_numpy(array.copy()).reshape(array.shape)
            self.register_buffer(name, made, persistent=self._persistent)
        held = getattr(self, self._constants[key])
        assert isinstance(held, Tensor)
        return held

    def forward(self, *given: Tensor) -> tuple[Tensor, ...]:
        sheet = Sheet(self._held)
        for name, tensor in zip(self.takes, given, strict=True):
            sheet.take(self._leaf(name), tensor, self._layouts[name])
        for node in self._nodes:
            if node.inputs:
                ROWS[node.op](sheet, node)
        return tuple(self._face(sheet, name, given) for name in self.gives)

    def _face(self, sheet: Sheet, name: str, given: Sequence[Tensor]) -> Tensor:
        """A result that is an argument as it stands is copied: no runtime gives an argument back."""
        made = sheet.face(self._graph.outputs[name], self._layouts[name])
        return made.clone() if any(made is tensor for tensor in given) else made
