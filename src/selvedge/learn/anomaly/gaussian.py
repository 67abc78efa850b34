"""What a vector has never been like: Mahalanobis distance from a mean and covariance that are learnt as it goes."""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite, sqrt
from typing import Any

import numpy as np
import numpy.typing as npt

from ...errors import InvalidInput
from ..given import fitting, share, whole
from .remembered import Remembered

HORIZON = 65536  # vectors: from there on the oldest are forgotten
LARGEST = 1e9  # of a component: its square, and the determinant, must stay finite
MOST = 30  # components: with more, mean and covariance take more than 4 KiB
HEADER = 16
STEADY = 0.1  # of a distance, in standard deviations: where all were alike, less says nothing


class GaussianDetector:
    """Streaming anomaly detection on vectors of a few numbers, by one Gaussian (Mahalanobis, 1936).

    Mean and covariance are those of all vectors learnt from so far (Welford's recurrence), the covariance shrunk
    towards its diagonal by size / (size + vectors). The distance of a vector, taken before it is learnt from, is
    compared with the distances so far: z standard deviations (of 0.1 at least) above their mean, the score is
    z / (1 + z).

    size: of a vector, 1..30. warm: vectors that are learnt from whatever they score; nothing scores before half of
    them, and 2 * size + 10, are. Then it stands still, so that no fault becomes normal by lasting; with ``follow`` it
    goes on learning from what scores less than ``threshold``: where normal moves, and at the price that a faint fault
    is followed too. Bytes: 16 + 4 * size * (size + 1).
    Raises ``InvalidInput`` for a size or number that cannot be used.
    """

    def __init__(self, size: int, *, warm: int = 50, follow: bool = False, threshold: float = 0.8) -> None:
        self.size, self.warm = whole("size", size), whole("warm", warm)
        if not 1 <= self.size <= MOST:
            raise InvalidInput("size", size, f"give 1..{MOST}: more takes over 4 KiB")
        if self.warm > 1_000_000:
            raise InvalidInput("warm", warm, "give 1000000 vectors or fewer")
        if self.warm < 2 * self.size + 20:
            raise InvalidInput(
                "warm", warm, f"{2 * self.size + 20} vectors or more say what is normal of {size} numbers"
            )
        self.follow, self.threshold = bool(follow), share("threshold", threshold)
        self._memory = Remembered(
            {
                "rows": ((1,), np.uint32),
                "judged": ((1,), np.uint32),
                "distance": ((2,), np.float32),
                "mean": ((self.size,), np.float32),
                "covariance": ((self.size, self.size), np.float32),
            }
        )
        self._is = self._memory.part

    @property
    def bytes(self) -> int:
        """Bytes of the buffer, exactly; constant from the first vector."""
        return self._memory.buffer.nbytes

    def update(self, value: npt.ArrayLike, time: float | None = None) -> float:
        """The score of one vector [size], 0..1; it is then learnt from, if it is not odd.

        A vector with a component that is not finite is missing: it scores 0 and changes nothing. ``time`` is of no
        account. Raises ``InvalidInput`` for another shape.
        """
        try:
            x = np.asarray(value, np.float64)
        except (TypeError, ValueError, OverflowError):
            raise InvalidInput("value", value, f"give {self.size} numbers") from None
        if x.shape != (self.size,) and not x.size == self.size == 1:
            raise InvalidInput("value", f"of shape {list(x.shape)}", f"give {self.size} numbers")
        x = x.reshape(self.size)
        if not np.isfinite(x).all():
            return 0.0
        x = np.clip(x, -LARGEST, LARGEST)
        score = 0.0
        # From too few vectors the distances are too long: they would hide what comes later.
        if (rows := int(self._is["rows"][0])) >= max(2 * self.size + 10, self.warm // 2):
            distance = self._distance(x, rows)
            score = self._score(distance)
            if self._learns(score):
                self._judge(distance)
        if self._learns(score):
            self._learn(x, rows)
        return score

    def state_dict(self) -> dict[str, npt.NDArray[Any]]:
        """Copies of everything remembered, by name."""
        return self._memory.copies()

    def load_state_dict(self, state: Mapping[str, npt.NDArray[Any]]) -> None:
        """Go on from what :meth:`state_dict` returned.

        Raises ``InvalidInput``, and changes nothing, where a name, shape, dtype or number does not fit.
        """
        fitting("gaussian state", self._memory.part, state)
        if not all(np.isfinite(state[name]).all() for name in ("distance", "mean", "covariance")):
            raise InvalidInput("gaussian state", "damaged", "give finite numbers")
        if (np.diag(state["covariance"]) < 0).any() or state["distance"][1] < 0:
            raise InvalidInput("gaussian state", "damaged", "a variance is not negative")
        self._memory.take(state)

    def _distance(self, x: npt.NDArray[np.float64], rows: int) -> float:
        apart = x - self._is["mean"]
        covariance = self._is["covariance"].astype(np.float64)
        variance = np.diag(covariance)
        # A component that never moved is at its limit: one part in a thousand of its size is a standard deviation.
        least = np.square(1e-3 * np.abs(self._is["mean"].astype(np.float64)) + 1e-9)
        own = np.maximum(variance, least)
        keep = rows / (rows + self.size)
        shrunk = keep * covariance
        shrunk[np.diag_indices(self.size)] = own * (1 + 1e-6)
        scale = np.sqrt(own)
        found = np.linalg.solve(shrunk / np.outer(scale, scale), apart / scale)
        return sqrt(max(float(found @ (apart / scale)), 0.0))

    def _learns(self, score: float) -> bool:
        return int(self._is["rows"][0]) < self.warm or (self.follow and score < self.threshold)

    def _score(self, distance: float) -> float:
        judged, (mean, variance) = int(self._is["judged"][0]), self._is["distance"].tolist()
        spread = max(sqrt(variance) + 0.01 * mean, STEADY)
        z = (distance - mean) / spread if judged > 8 and isfinite(distance) else 0.0
        return max(z, 0.0) / (1 + max(z, 0.0))

    def _judge(self, distance: float) -> None:
        judged, (mean, variance) = min(int(self._is["judged"][0]) + 1, HORIZON), self._is["distance"].tolist()
        apart, weight = min(distance, 1e15) - mean, 1 / judged
        self._is["distance"][:] = mean + weight * apart, (1 - weight) * (variance + weight * apart * apart)
        self._is["judged"][0] = judged

    def _learn(self, x: npt.NDArray[np.float64], rows: int) -> None:
        weight = 1 / min(rows + 1, HORIZON)
        apart = x - self._is["mean"]
        self._is["mean"] += (weight * apart).astype(np.float32)
        covariance = self._is["covariance"].astype(np.float64)
        self._is["covariance"][...] = (1 - weight) * (covariance + weight * np.outer(apart, apart))
        self._is["rows"][0] = min(rows + 1, 0x7FFFFFFF)
