"""What an artifact says of a plan beside its programs, whatever runtime it is for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np

from .. import __version__
from ..capture.loss import CTC, CrossEntropy, Loss, settings
from ..capture.torch_loss import TorchLoss
from ..emitting.c import Description
from ..run.learning import Learning
from .inference import Inference, predicting
from .plan import Plan
from .state import initial_state, learnt_state


def state_and_extra(
    plan: Plan, learnt: Learning | Mapping[str, Any] | None
) -> tuple[dict[str, np.ndarray], Mapping[str, np.ndarray]]:
    """(state as it is stored, entries of the state dict that no program reads): the model's as they were planned, or
    those that ``learnt`` holds."""
    return (initial_state(plan), plan.captured.constant) if learnt is None else learnt_state(plan, learnt)


def described(
    plan: Plan | Inference, extra: Mapping[str, np.ndarray], learnt: Learning | Mapping[str, Any] | None = None
) -> Description:
    """extra: as of :func:`state_and_extra`."""
    if isinstance(plan, Inference):
        return predicting(plan)
    captured = plan.captured
    labels = plan.programs.backward.inputs.get("y")
    return Description(
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
        steps=learnt.steps if isinstance(learnt, Learning) else 0,
        features=plan.features,
        parts={n: part.face(captured.layout(n)) for n, part in plan.programs.parts.items()},
        provenance={"selvedge": __version__, "device": plan.device.name, "update": plan.update},
    )


def _of_classes(loss: Loss) -> bool:
    """Are its targets classes of the output?"""
    return isinstance(loss, CrossEntropy | CTC) or (isinstance(loss, TorchLoss) and loss.classes)
