"""The make road's second half: a plan -> native code that learns here, or an artifact for a device."""

from __future__ import annotations

from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import Any

import torch

from ..artifact.targets import target as of_name
from ..emitting.c import Bundle, bundle, write
from ..errors import InvalidInput
from ..run.build import build
from ..run.learning import Learning
from ..run.session import Session
from . import show
from .described import described, state_and_extra
from .inference import Inference, inference_bundle
from .losses import Losses
from .measure import Measured, measure
from .plan import Plan
from .targets import emit_foreign


class HostSession(Session):
    """A :class:`Session` on a machine that has torch: its state is tensors, ready for ``model.load_state_dict``, and it
    keeps the losses of its steps, so that a notebook shows them."""

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self._losses = Losses()

    def step(self, x: Any, y: Any = None, lr: float | None = None) -> float:
        with self._lock:
            loss = super().step(x, y, lr)
            self._losses.add(loss)
        return loss

    @property
    def losses(self) -> tuple[tuple[int, float], ...]:
        """(step, loss) of the steps of this session: at most 4,096 of them, evenly spaced, however many there were."""
        with self._lock:
            return tuple(self._losses.points)

    def _repr_html_(self) -> str:
        """What a notebook shows: the losses."""
        return show.losses(self.manifest.name, self.losses)

    def state_dict(self) -> dict[str, Any]:
        """Every entry of the PyTorch model's state as a tensor, under its names; copies."""
        return {name: torch.from_numpy(array) for name, array in super().state_dict().items()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        if isinstance(state, Mapping):
            state = {n: v.detach().cpu() if hasattr(v, "detach") else v for n, v in state.items()}
        super().load_state_dict(state)


def bundled(plan: Plan | Inference, learnt: Learning | Mapping[str, Any] | None = None) -> Bundle:
    """The artifact of ``plan`` in memory, with the model's weights, or with those that ``learnt`` holds."""
    if isinstance(plan, Inference):
        if learnt is not None:
            raise InvalidInput("learnt", "given", f"{plan.name} only predicts: leave it out")
        return inference_bundle(plan)
    stored, extra = state_and_extra(plan, learnt)
    return bundle(plan.arrangement, stored, described(plan, extra, learnt))


def compile(
    plan: Plan | Inference, *, cache: str | Path | None = None, storage: str | Path | None = None
) -> HostSession:
    """Native code of ``plan`` for this machine: the same calls at the same bytes. Compiled once, then cached.

    storage: the file that a plan that pages keeps values in; by default one without a name in the temporary directory.

    Raises ``NoCompiler`` or ``BuildFailed``.
    """
    made = bundled(_planned(plan))
    library = build(made.sources, plan.arrangement.lanes, plan.arrangement.dtype, cache=cache)
    return HostSession(made.manifest, library, made.weights, made.extra, storage)


def emit(
    plan: Plan | Inference,
    target: str,
    directory: str | Path,
    *,
    learnt: Learning | Mapping[str, Any] | None = None,
) -> Path:
    """Write ``plan`` as an artifact for ``target`` ("c", "onnx", ...: :data:`selvedge.artifact.targets.TARGETS`) into
    ``directory``: whole, or not at all.

    The weights are the model's as they were planned, or those of ``learnt``: a session (its optimiser's state goes
    along) or a state dict. An earlier artifact there is replaced; other files beside it stay.

    Raises ``InvalidInput`` for an unknown target, for one whose packages are missing, too old or too new, or a
    directory that cannot be written; ``NotSupported`` for an operator that the target lacks.
    """
    found = of_name(target)
    if not isinstance(directory, str | PathLike):
        raise InvalidInput("directory", f"of type {type(directory).__name__}", "give the path of a directory")
    if found.name == "c":
        return write(bundled(_planned(plan), learnt), Path(directory))
    return emit_foreign(_planned(plan), found.name, Path(directory), learnt)


def measured(plan: Plan | Inference, *, cache: str | Path | None = None) -> Measured:
    """Arena and stack that the compiled plan really uses, from the checking build."""
    return measure(_planned(plan).arrangement, bundled(plan), cache)


def _planned(plan: Plan | Inference) -> Plan | Inference:
    if not isinstance(plan, Plan | Inference):
        raise InvalidInput("plan", f"of type {type(plan).__name__}", "give what selvedge.plan(...) returned")
    return plan
