"""The gradient of a batch, read from a compiled plan without changing it."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ...errors import NotSupported
from ...run.session import Session

Array = npt.NDArray[Any]


def require_readable(session: Session) -> None:
    """Raises ``NotSupported`` where :func:`gradient` cannot tell the gradient from what is made of it."""
    manifest = session.manifest
    if manifest.accumulate > 1:
        return
    said = manifest.optimizer
    fix = "plan with accumulate=2, whose accumulators hold it"
    if said["name"] != "SGD":
        raise NotSupported(f"the gradient of a plan with {said['name']}", "", fix)
    for field in ("clip_value", "clip_norm", "state_dtype"):
        if said[field] is not None:
            raise NotSupported(f"the gradient of a plan with {field}", "", fix)


def readable(session: Session) -> list[str]:
    """The parameters whose gradients are read: what learns as floats."""
    state = session.manifest.state
    learns = (n for n in session.manifest.updated if n in state and state[n].region == "state")
    return [n for n in learns if np.dtype(state[n].dtype).kind == "f"]


def gradient(session: Session, x: Array, y: Array | None) -> dict[str, npt.NDArray[np.float64]]:
    """The mean gradient of one (micro-)batch by parameter, as it is stored; the session is bit for bit what it was.

    Of a plan that accumulates it lies in the accumulators. Else a step of SGD is made at a rate of 1, from an optimiser
    that remembers nothing: what the weights lose is the gradient, to a rounding of the weight. Raises as
    :func:`require_readable`, and what a step does.
    """
    require_readable(session)
    before, place, manifest = session.snapshot(), session.steps, session.manifest
    learns = readable(session)
    try:
        if manifest.accumulate > 1:
            session.accumulate(x, y)
            after = session.snapshot()
            return {n: after[f"{n}.accumulator"].astype(np.float64) * manifest.accumulate for n in learns}
        forgotten = {
            n: np.zeros_like(a) if manifest.state[n].kind == "optimizer" else a for n, a in before.items()
        }  # fmt: skip
        session.restore(forgotten, place)
        session.step(x, y, lr=1.0)
        after, said = session.snapshot(), manifest.optimizer
        ahead = 1 + said["momentum"] if said["nesterov"] else 1.0
        return {n: (before[n].astype(np.float64) - after[n]) / ahead - said["weight_decay"] * before[n] for n in learns}
    finally:
        session.restore(before, place)
