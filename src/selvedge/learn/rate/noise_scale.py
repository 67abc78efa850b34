"""How much the gradients of samples differ: McCandlish et al., arXiv:1812.06162."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ...errors import InvalidInput
from ...run.session import Session
from .gradient import gradient
from .step import Lesson


@dataclass(frozen=True, slots=True)
class NoiseScale:
    """``signal``: an estimate of |G|^2, G the gradient of all samples; ``noise``: of tr(Sigma), their covariance's
    trace; ``batch``: of the smaller of the two batches that were compared."""

    signal: float
    noise: float
    batch: int

    @property
    def scale(self) -> float:
        """tr(Sigma) / |G|^2, in samples (eq. 2.9): up to a batch of so many, twice the batch allows nearly twice the
        rate. Infinite where no gradient is seen in the noise."""
        return math.inf if self.signal <= 0 else max(0.0, self.noise) / self.signal

    def share(self, batch: int) -> float:
        """What a step of ``batch`` samples improves, of what one without noise would: 1 / (1 + scale / batch) (eq.
        2.7); the best rate falls in the same way."""
        return 0.0 if math.isinf(self.scale) else 1 / (1 + self.scale / batch)

    def __str__(self) -> str:
        return f"noise scale {self.scale:.3g} samples"


def noise_scale(session: Session, lesson: Lesson, *, batches: int = 16) -> NoiseScale:
    """Of ``batches`` gradients of the plan's (micro-)batch each; the session is bit for bit what it was.

    The two sizes are one batch and all of them (app. A.1): |G_small|^2 is |G|^2 + tr(Sigma) / b on average, and
    likewise the large one. RAM: a copy of what learns, and two gradients in float64.

    Raises ``InvalidInput`` for fewer than 2, ``NotSupported`` where a gradient cannot be read.
    """
    if not isinstance(batches, int) or isinstance(batches, bool) or batches < 2:
        raise InvalidInput("batches", batches, "give 2 or more")
    small = session.manifest.batch
    total: dict[str, npt.NDArray[np.float64]] = {}
    large, squares = small * batches, 0.0
    for _ in range(batches):
        found = gradient(session, *lesson(small))
        squares += sum(float(np.vdot(g, g)) for g in found.values()) / batches
        for name, g in found.items():
            g /= batches
            total[name] = np.add(g, total[name], out=total[name]) if name in total else g
    of_all = sum(float(np.vdot(g, g)) for g in total.values())
    signal = (large * of_all - small * squares) / (large - small)
    noise = (squares - of_all) / (1 / small - 1 / large)
    return NoiseScale(signal, noise, small)
