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
    """Of a plan with ``loss="mse"``. Time is the last axis: of what comes, x [batch, ..., steps + ahead], the model is
    shown the first steps, and its output is measured against the rest. A stream labels itself so."""

    def require(self, session: Session) -> None:
        target, sample = session.manifest.target_shape, session.manifest.sample_shape
        if session.manifest.loss != "MSE" or target is None:
            raise InvalidInput("loss", session.manifest.loss, "plan with loss='mse' of what comes next")
        if not sample or prod(target) % prod(sample[:-1]):
            raise InvalidInput(
                "output", list(target), f"give a model of {list(sample)} that says one or more steps more"
            )

    def seen(self, session: Session, x: Array) -> Array:
        return x[..., : session.manifest.sample_shape[-1]].copy()

    def lesson(self, session: Session, x: Array, outputs: Array, draws: Draws) -> tuple[Array, Array | None] | None:
        rest = x[..., session.manifest.sample_shape[-1] :]
        if rest.size != outputs.size:
            fix = f"give the {session.manifest.sample_shape[-1]} that it sees and what comes"
            raise InvalidInput("steps", x.shape[-1], fix)
        return self.seen(session, x), rest.reshape(outputs.shape).copy()
