"""To give back what one was given."""

from __future__ import annotations

from dataclasses import dataclass

from ...errors import InvalidInput
from ...run.session import Session
from ..draws import Draws
from .objective import Array


@dataclass(frozen=True, slots=True)
class Reconstruction:
    """Of a plan with ``loss="reconstruction"``: a sample is its own target. :class:`selvedge.Learner` takes such a plan
    too, and holds it by an anchor."""

    def require(self, session: Session) -> None:
        if session.manifest.loss != "Reconstruction":
            raise InvalidInput("loss", session.manifest.loss, "plan with loss='reconstruction'")

    def seen(self, session: Session, x: Array) -> Array:
        return x

    def lesson(self, session: Session, x: Array, outputs: Array, draws: Draws) -> tuple[Array, Array | None] | None:
        return x, None
