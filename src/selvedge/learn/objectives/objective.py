"""What every objective without labels promises, and the targets that it writes."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from ...errors import InvalidInput
from ...run.session import Session
from ..draws import Draws

Array = npt.NDArray[Any]


class Objective(Protocol):
    """What a step lowers, of samples that have no labels."""

    def require(self, session: Session) -> None:
        """Raises ``InvalidInput`` for a plan whose loss it cannot write a target for."""

    def seen(self, session: Session, x: Array) -> Array:
        """What the model is shown of x [batch, ...]."""

    def lesson(self, session: Session, x: Array, outputs: Array, draws: Draws) -> tuple[Array, Array | None] | None:
        """What a step gets for samples x [batch, ...], of which the session says ``outputs``: inputs and target; None:
        nothing is to be learnt from them."""


def require_mixed(session: Session) -> None:
    """Raises ``InvalidInput`` unless the plan's loss is :func:`selvedge.label_free`."""
    shape = session.manifest.target_shape
    output = session.manifest.programs["predict"].outputs["output"]
    classes = (output.layout.face if output.layout else output.shape)[1:]
    if session.manifest.loss != "TorchLoss" or len(classes) != 1 or shape != (classes[0] + 1,):
        raise InvalidInput("loss", session.manifest.loss, "plan with loss=sv.label_free(classes)")


def mixed(wanted: Array, entropy: Array) -> npt.NDArray[np.float32]:
    """The target [n, classes + 1] of :func:`selvedge.label_free`: q [n, classes], then w [n]."""
    return np.concatenate([wanted, entropy[:, None]], 1).astype(np.float32)
