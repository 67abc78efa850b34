"""An ONNX file as a module that can be planned for training."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from os import PathLike
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from ..aten.module import Computed
from ..errors import InvalidInput
from ..formats import onnx
from ..formats.onnx_learnable import Learnable, learnable
from ..run.foreign.decomposed import register


class OnnxModule(nn.Module):
    """What :func:`learnable_onnx` read. Its ``state_dict()`` has the file's float weights under the file's names, where
    those are PyTorch's ("fc.weight"), else by number: "3.weight"."""

    def __init__(
        self, computed: Computed, state: Mapping[str, np.ndarray], known: int, of_batch: Callable[[int], Computed]
    ) -> None:
        """known: how many inputs the file has. of_batch: ``computed`` for another number of samples."""
        super().__init__()
        self._computed = computed
        self._of_batch = of_batch
        self._batches: dict[int, Computed] = {}  # what they hold is constant: no state of this module
        self._names = tuple(state)
        self._known = known
        for name, array in state.items():
            *path, own = name.split(".")
            home: nn.Module = self
            for part in path:
                if part not in home._modules:
                    home.add_module(part, nn.Module())
                home = home.get_submodule(part)
            home.register_parameter(own, nn.Parameter(torch.from_numpy(np.array(array, np.float32))))

    @property
    def example(self) -> tuple[Tensor, ...]:
        """Zeros of the shapes that the file is for, images NCHW where it has them so."""
        made = self._computed
        return tuple(torch.zeros(made.face(name), dtype=made.dtype(name)) for name in made.takes[: self._known])

    def forward(self, *given: Tensor) -> Tensor | tuple[Tensor, ...]:
        """What the file computes, a softmax at its end left out; of any number of samples, but for where it is
        captured: a plan is for that of the example."""
        wanted, found = ([tuple(x.shape) for x in arrays] for arrays in (self.example, given))
        computed = self._computed
        if wanted != found:
            batch = found[0][0] if found and found[0] else 0
            if not batch or found != [(batch, *shape[1:]) for shape in wanted] or torch.compiler.is_compiling():
                fix = f"the file is read for {', '.join(map(str, wanted))}: read it with batch=K for K samples"
                raise InvalidInput("example", f"of {', '.join(map(str, found))}", fix)
            if batch not in self._batches:
                self._batches[batch] = self._of_batch(batch)
            computed = self._batches[batch]
        made: tuple[Tensor, ...] = computed(*given, *(self.get_parameter(name) for name in self._names))
        return made[0] if len(made) == 1 else made

    def extra_repr(self) -> str:
        return f"{len(self._names)} arrays can learn"


def learnable_onnx(
    path: str | Path,
    *,
    batch: int | None = None,
    last: int | None = None,
    fixed: Mapping[str, np.ndarray] | None = None,
) -> OnnxModule:
    """The network of an ONNX file (opset 13 or later) as a module, to be planned by :func:`selvedge.plan`:
    ``sv.plan(file, file.example, ...)``, or for whatever else a module is good for.

    Float weights of convolutions, linear layers and norms learn, with PyTorch's gradients; norms have the statistics of
    the file. What is int8 in it (QDQ) stays so and is frozen; of a file without float layers the last one becomes the
    float layer that it stands for. A softmax at the end is left out: losses take logits.

    batch: how many samples at once; by default the file's own number, one where it leaves that open.
    last: how many layers are floats at least. fixed: as of :func:`selvedge.load_onnx`.

    Raises ``InvalidInput`` and ``NotSupported`` as :func:`selvedge.load_onnx`, where so many layers cannot be floats,
    and where the file computes with another number of samples than ``batch``.
    """
    if not isinstance(path, str | PathLike):
        raise InvalidInput("path", f"of type {type(path).__name__}", "give that of an .onnx file")
    for name, value in (("batch", batch), ("last", last)):
        if value is not None and (not isinstance(value, int) or isinstance(value, bool) or value < 1):
            raise InvalidInput(name, value, "give a whole number >= 1")
    if not isinstance(fixed, Mapping | None) or not all(isinstance(a, np.ndarray) for a in (fixed or {}).values()):
        raise InvalidInput("fixed", f"of type {type(fixed).__name__}", "give arrays by the names of inputs")
    model = onnx.read(Path(path), fixed or {})
    made, computed = _computed(model, batch, last)
    return OnnxModule(computed, made.state, len(made.graph.inputs), lambda other: _computed(model, other, last)[1])


def _computed(model: onnx.Model, batch: int | None, last: int | None) -> tuple[Learnable, Computed]:
    if batch is not None:
        model = replace(model, inputs={n: (kind, (batch, *shape[1:])) for n, (kind, shape) in model.inputs.items()})
    made = learnable(model, last)
    if any(spec.quant is not None for node in made.graph.nodes() for spec in node.specs):
        register()
    computed = Computed(made.graph, made.layouts, persistent=False)
    if batch is not None and any(computed.face(name)[:1] != (batch,) for name in computed.gives):
        raise InvalidInput("batch", batch, "the file computes with a number of samples of its own: leave it out")
    return made, computed
