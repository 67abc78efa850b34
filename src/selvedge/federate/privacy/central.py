"""What a trusted server does to a round's changes: clips each, adds them up, and tells the sum with noise."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ...errors import InvalidInput
from ..aggregate.fixed import FixedSum
from .accountant import Accountant
from .budget import why_not
from .gaussian_sum import Drawn, Lattice
from .lots import cohort
from .noise import discrete_gaussian
from .randomness import SECRET, Keystream, derived
from .settings import Privacy


class Central:
    """``clients``: what every sum is divided by, however many answered: a number that depends on nobody's being there.

    secret: the server's, in its journal and in no message: of it, the run, the round and the exact sum is the noise
    made, so that what resumes tells the same once more, and not the same sum with other noise; nor, where an older
    copy of the journal was put back, another sum with the same noise. Of it, the run and the task are the lots made.
    drawn: the noise, for an audit of what is without.
    """

    def __init__(self, privacy: Privacy, clients: int, drawn: Drawn = discrete_gaussian) -> None:
        self.privacy, self.clients, self.drawn = privacy, clients, drawn
        self.lattice = Lattice(privacy.clip, privacy.noise)

    def check(self, total: FixedSum) -> None:
        """Raises ``InvalidInput`` where the steps of the sum are too coarse, or its bound too small."""
        if self.lattice.bits > total.fraction or self.privacy.clip > total.bound:
            said = f"clip {self.privacy.clip:g}, noise {self.privacy.noise:g}"
            fix = f"beside a bound of {total.bound:g} and these weights the sum has steps of 2**-{total.fraction}"
            raise InvalidInput("privacy", said, f"{fix}: give a larger clip, or a smaller bound or weights")

    def taken(self, change: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
        """``change``, clipped, on the lattice: whole steps, which the sum adds up exactly."""
        return np.asarray(self.lattice.of(change) * self.lattice.step)

    def mean(self, total: FixedSum, secret: bytes, run: str, version: int) -> npt.NDArray[np.float64]:
        """float64 [size]: the sum with noise, over ``clients``."""
        steps = total.total >> (total.fraction - self.lattice.bits)
        exactly = hashlib.sha256(steps.astype("<i8").tobytes()).hexdigest()
        source = Keystream(derived(_there(secret), "noise", run, version, self.privacy, self.clients, exactly))
        return self.lattice.released(steps, source, self.drawn) / self.clients

    def cohort(self, names: Sequence[str], secret: bytes, run: str, task: int) -> list[str] | None:
        """Those whose lot says that they take part; None where there are no lots."""
        if self.privacy.rate is None:
            return None
        return cohort(derived(_there(secret), "lots"), f"{run} {task}", names, self.privacy.rate)

    @property
    def by_clock(self) -> bool:
        """Whether rounds open and close at times that depend on nobody: by lots, whether one is there is hidden."""
        return self.privacy.rate is not None

    def spent(self, rounds: int) -> Accountant:
        """What so many rounds have told."""
        return Accountant([(self.privacy.release(), rounds)] if rounds else [])

    def why_not(self, rounds: int) -> str:
        """Why there is no round behind ``rounds``, or ""."""
        return why_not(self.privacy.budget, self.spent(rounds), self.privacy.release(), rounds)


def _there(secret: bytes) -> bytes:
    """Raises ``InvalidInput`` for one that anybody could guess."""
    if len(secret) < SECRET:
        raise InvalidInput("secret", f"of {len(secret)} bytes", f"noise that nobody can know needs {SECRET}")
    return secret
