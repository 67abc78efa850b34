"""The make road's second half: a plan -> native code that learns here, or an artifact for a device."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from os import PathLike
from pathlib import Path
from typing import Any

import torch

from .. import __version__
from ..capture.loss import CTC, CrossEntropy, Loss, settings
from ..capture.torch_loss import TorchLoss
from ..emitting.c import Bundle, Description, bundle, write
from ..errors import InvalidInput
from ..run.build import build
from ..run.session import Session
from . import show
from .inference import Inference, inference_bundle
from .losses import Losses
from .measure import Measured, measure
from .plan import Plan
from .state import initial_state, learnt_state

TARGETS = ("c",)


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


def bundled(plan: Plan | Inference, learnt: Session | Mapping[str, Any] | None = None) -> Bundle:
    """The artifact of ``plan`` in memory, with the model's weights, or with those that ``learnt`` holds."""
    if isinstance(plan, Inference):
        if learnt is not None:
            raise InvalidInput("learnt", "given", f"{plan.name} only predicts: leave it out")
        return inference_bundle(plan)
    captured = plan.captured
    stored, extra = (initial_state(plan), captured.constant) if learnt is None else learnt_state(plan, learnt)
    labels = plan.programs.backward.inputs.get("y")
    return bundle(
        plan.arrangement,
        stored,
        Description(
            name=plan.name,
            layouts={program: plan.programs.layouts_of(program) for program in plan.programs.graphs},
            state_layouts={n: v.node.attrs["layout"] for n, v in plan.programs.state.items()},
            order=captured.order,
            schedule=plan.schedule,
            loss=type(plan.loss).__name__,
            loss_options=settings(plan.loss),
            optimizer={"name": type(plan.optimizer).__name__, **asdict(plan.optimizer)},  # type: ignore[call-overload]
            aliases=captured.aliases,
            folds=captured.folds,
            extra=extra,
            classes=captured.layouts["output"].face[1] if labels is not None and _of_classes(plan.loss) else 0,
            labels=plan.labels,
            preprocess=plan.preprocess,
            accumulate=plan.accumulate,
            steps=learnt.steps if isinstance(learnt, Session) else 0,
            features=plan.features,
            parts={n: part.face(captured.layout(n)) for n, part in plan.programs.parts.items()},
            provenance={"selvedge": __version__, "device": plan.device.name, "update": plan.update},
        ),
    )


def _of_classes(loss: Loss) -> bool:
    """Are its targets classes of the output?"""
    return isinstance(loss, CrossEntropy | CTC) or (isinstance(loss, TorchLoss) and loss.classes)


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
    learnt: Session | Mapping[str, Any] | None = None,
) -> Path:
    """Write ``plan`` as an artifact for ``target`` ("c") into ``directory``: whole, or not at all.

    The weights are the model's as they were planned, or those of ``learnt``: a session (its optimiser's state goes
    along) or a state dict. An earlier artifact there is replaced; other files beside it stay.

    Raises ``InvalidInput`` for an unknown target or a directory that cannot be written.
    """
    if not isinstance(target, str) or target not in TARGETS:
        raise InvalidInput("target", target, f"choose one of {', '.join(TARGETS)}")
    if not isinstance(directory, str | PathLike):
        raise InvalidInput("directory", f"of type {type(directory).__name__}", "give the path of a directory")
    return write(bundled(_planned(plan), learnt), Path(directory))


def measured(plan: Plan | Inference, *, cache: str | Path | None = None) -> Measured:
    """Arena and stack that the compiled plan really uses, from the checking build."""
    return measure(_planned(plan).arrangement, bundled(plan), cache)


def _planned(plan: Plan | Inference) -> Plan | Inference:
    if not isinstance(plan, Plan | Inference):
        raise InvalidInput("plan", f"of type {type(plan).__name__}", "give what selvedge.plan(...) returned")
    return plan
