"""Batches to try a rate with, and a step of as many micro-batches of one as are asked for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from ...errors import InvalidInput
from ...run.session import Session

Array = npt.NDArray[Any]
Lesson = Callable[[int], tuple[Array, Array | None]]  # so many samples: x [n, ...], y [n, ...] or None


def step(session: Session, x: Array, y: Array | None, rate: float | None, parts: int) -> float:
    """One update by ``parts`` of the plan's micro-batches, x [parts * batch, ...]; the mean loss before it.

    With fewer than the plan has, :meth:`Session.apply` counts the others as zeros: the rate makes up for it where the
    optimiser is linear in the gradient, as SGD is. Raises what :meth:`Session.step` does; then nothing was updated.
    """
    whole = session.manifest.accumulate
    if parts == whole:
        return session.step(x, y, lr=rate)
    if session.accumulated:
        raise InvalidInput("step", f"with {session.accumulated} micro-batches accumulated", "call apply() or discard()")
    asked = session.manifest.schedule.lr(session.steps) if rate is None else rate
    linear = session.manifest.optimizer["name"] == "SGD"
    xs, ys = np.split(x, parts), [None] * parts if y is None else np.split(y, parts)
    try:
        losses = [session.accumulate(a, b) for a, b in zip(xs, ys, strict=True)]
        session.apply(lr=asked * whole / parts if linear else asked)
    except BaseException:  # Ctrl-C between two micro-batches too
        session.discard()
        raise
    return float(np.mean(losses))


def require_parts(session: Session, parts: int) -> None:
    """Raises ``InvalidInput`` unless the plan has ``parts`` micro-batches, or more."""
    most = session.manifest.accumulate
    if not isinstance(parts, int) or isinstance(parts, bool) or not 1 <= parts <= most:
        raise InvalidInput("parts", parts, f"give 1..{most}: the plan's accumulate")
