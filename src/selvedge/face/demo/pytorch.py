"""The same training in PyTorch, without a limit: the baseline, and its bytes."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn
from torch.multiprocessing.reductions import StorageWeakRef
from torch.nn import functional as F
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from ...artifact.preprocess import Preprocess
from ...artifact.schedule import Schedule


class TorchLearner:
    """``predict`` and ``step`` as a session has them, by PyTorch: norms frozen, momentum SGD, uint8 in.

    Learns the parameters in ``names`` of its own copy of ``model``.
    """

    def __init__(
        self, model: nn.Module, names: Iterable[str], preprocess: Preprocess, schedule: Schedule, momentum: float
    ) -> None:
        self.model = copy.deepcopy(model).eval()
        learns = set(names)
        for name, parameter in self.model.named_parameters():
            parameter.requires_grad_(name in learns)
        chosen = [p for p in self.model.parameters() if p.requires_grad]
        self._optimizer = torch.optim.SGD(chosen, lr=schedule.lr(0), momentum=momentum)
        self._preprocess, self._schedule, self._steps = preprocess, schedule, 0

    def predict(self, x: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """Logits [N, classes] of uint8 [N, C, H, W]."""
        with torch.no_grad():
            logits: npt.NDArray[np.float32] = self.model(torch.from_numpy(self._preprocess(x))).numpy()
        return logits

    def step(self, x: npt.NDArray[np.uint8], y: npt.NDArray[np.int32]) -> float:
        """One update; the loss before it."""
        self._optimizer.param_groups[0]["lr"] = self._schedule.lr(self._steps)
        logits = self.model(torch.from_numpy(self._preprocess(x)))
        loss = F.cross_entropy(logits, torch.from_numpy(y).long())
        self._optimizer.zero_grad()
        loss.backward()
        self._optimizer.step()
        self._steps += 1
        return float(loss.detach())

    def step_bytes(self, x: npt.NDArray[np.uint8], y: npt.NDArray[np.int32]) -> int:
        """The most bytes that tensors hold at once in a step of a running training; trains two steps.

        Counted: parameters, buffers, momentum, input, activations saved or passing, gradients; each storage once,
        for as long as it lives. Not counted: what an operator allocates inside itself, the allocator's rounding, the
        process and its libraries. So it is the least that can be said of PyTorch.
        """
        self.step(x, y)  # makes the momentum
        self._optimizer.zero_grad()
        momentum = [s["momentum_buffer"] for s in self._optimizer.state.values()]
        living = _Living([*self.model.state_dict().values(), *momentum])
        with living:
            self.step(x, y)
        return living.peak


class _Living(TorchDispatchMode):
    """Sums the storages that are alive after every operator."""

    def __init__(self, before: Sequence[torch.Tensor]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._known: dict[int, tuple[StorageWeakRef, int]] = {}
        for tensor in before:
            self._note(tensor)
        self.peak: int = self._total()

    def __torch_dispatch__(
        self,
        operator: Callable[..., Any],
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        result = operator(*args, **(kwargs or {}))
        for value in tree_leaves((args, result)):
            if isinstance(value, torch.Tensor):
                self._note(value)
        self.peak = max(self.peak, self._total())
        return result

    def _note(self, tensor: torch.Tensor) -> None:
        storage = tensor.untyped_storage()
        self._known[storage._cdata] = (StorageWeakRef(storage), int(storage.nbytes()))

    def _total(self) -> int:
        self._known = {key: (ref, size) for key, (ref, size) in self._known.items() if not ref.expired()}
        return sum(size for _, size in self._known.values())
