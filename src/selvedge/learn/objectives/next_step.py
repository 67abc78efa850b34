"""To foretell what comes."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from ...errors import InvalidInput
from ...run.session import Session
from ..draws import Draws
from .objective import Array


@dataclass(frozen=True, slots=True)
class NextStep:
    """Of a plan with ``loss="mse"`` whose sample [steps, ...] lacks its end: what comes is [steps + ahead, ...], of which
    the model sees the first steps, and its target, of the output's shape, is the rest.

    ``Unlabelled.learn`` and ``predict`` are given the whole of it. A stream labels itself so; nothing else is needed.
    """

    def require(self, session: Session) -> None:
        shape = session.manifest.target_shape
        if session.manifest.loss != "MSE" or shape is None:
            raise InvalidInput("loss", session.manifest.loss, "plan with loss='mse' of what comes next")
        if len(session.manifest.sample_shape) == 0 or prod(shape) % max(1, prod(session.manifest.sample_shape[:-1])):
            raise InvalidInput("output", list(shape), "give a model whose output is one or more steps of its input")

    def lesson(self, session: Session, x: Array, outputs: Array, draws: Draws) -> tuple[Array, Array | None] | None:
        seen, shape = session.manifest.sample_shape[-1], session.manifest.target_shape
        assert shape is not None
        return x[..., :seen].copy(), x[..., seen:].reshape(len(x), *shape).copy()
