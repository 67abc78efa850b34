"""A machine by its vibration: what a window of acceleration sounds like, as a few numbers for a detector."""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite
from typing import Any

import numpy as np
import numpy.typing as npt

from ...errors import InvalidInput
from ..given import fitting, whole
from .gaussian import GaussianDetector
from .remembered import Remembered

BANDS = 8
FEATURES = BANDS + 2
GAUSSIAN = "gaussian."  # before the names of its part of a state
QUIET = 1e-12  # of an energy: below it there is no sound


def features(window: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """float64 [10] of a window of acceleration [samples], at least 64 of them, in any unit.

    Logarithms of: the energy in 8 equal bands up to half the rate; the kurtosis of the upper half of the band; the
    peak of its envelope's spectrum, over the median there. In the upper half impulses ring and shafts do not: a fault
    of a bearing makes it spiky and beats it at the rate of its strikes (Randall & Antoni, *Rolling element bearing
    diagnostics - a tutorial*, MSSP 25, 2011, sections 5 and 6), whatever rate up to an eighth of the samples' that is.
    """
    x = np.asarray(window, np.float64)
    x = x - x.mean()
    taper, whole = np.hanning(x.size), np.fft.rfft(x)
    power = np.square(np.abs(np.fft.rfft(x * taper))) / x.size
    bands = [part.sum() for part in np.array_split(power[1:], BANDS)]
    half = whole.size // 2
    upper = np.zeros(x.size, np.complex128)
    upper[half : whole.size] = 2 * whole[half:]
    analytic = np.fft.ifft(upper)
    energy = np.square(analytic.real)
    kurtosis = np.square(energy).mean() / max(energy.mean() ** 2, QUIET**2)
    envelope = np.abs(analytic)
    beat = np.square(np.abs(np.fft.rfft((envelope - envelope.mean()) * taper)))[3 : 1 + whole.size // 4]
    peak = beat.max() / max(float(np.median(beat)), QUIET)
    return np.log(np.maximum([*bands, kurtosis, peak], QUIET))


class VibrationDetector:
    """Streaming anomaly detection on one axis of acceleration: it learns a healthy machine and scores each window.

    Samples come one or many at a time. Each full window becomes :func:`features`, which a :class:`GaussianDetector`
    scores. window: samples, 64..8192. warm: windows that are healthy by promise; what is learnt of them stands still
    thereafter. It remembers the open window (4 B a sample) beside the Gaussian's 456 B: at window=512 2,508 B in
    all, and up to window=909 at most 4 KiB.
    """

    def __init__(self, window: int = 512, *, warm: int = 100, threshold: float = 0.8) -> None:
        self.window = whole("window", window)
        if not 64 <= self.window <= 8192:
            raise InvalidInput("window", window, "give 64..8192 samples")
        self._gaussian = GaussianDetector(FEATURES, warm=warm, threshold=threshold)
        self._memory = Remembered({"open": ((self.window,), np.float32), "filled": ((1,), np.uint32)})
        self._open, self._filled = self._memory.part["open"], self._memory.part["filled"]

    @property
    def bytes(self) -> int:
        """Of everything that it remembers, allocated once."""
        return self._gaussian.bytes + self._memory.buffer.nbytes

    @property
    def threshold(self) -> float:
        return self._gaussian.threshold

    def update(self, value: npt.ArrayLike, time: float | None = None) -> float:
        """The highest score of the windows that ``value``, a sample or many [samples], fills; 0 where it fills none.

        A sample that is not finite breaks the stream: the open window begins again. ``time`` is of no account.
        Raises ``InvalidInput``, and remembers nothing, for what is no number.
        """
        try:
            samples = np.atleast_1d(np.asarray(value, np.float64))
        except (TypeError, ValueError, OverflowError):
            raise InvalidInput("value", value, "give samples of acceleration") from None
        if samples.ndim != 1:
            raise InvalidInput("value", f"of shape {list(samples.shape)}", "give one axis")
        score = 0.0
        for sample in samples.tolist():
            if not isfinite(sample):
                self._filled[0] = 0
                continue
            filled = int(self._filled[0])
            self._open[filled] = min(max(sample, -1e9), 1e9)
            self._filled[0] = (filled + 1) % self.window
            if filled + 1 == self.window:
                score = max(score, self._gaussian.update(features(self._open)))
        return score

    def state_dict(self) -> dict[str, npt.NDArray[Any]]:
        """Copies of everything remembered, by name."""
        return {f"{GAUSSIAN}{k}": v for k, v in self._gaussian.state_dict().items()} | self._memory.copies()

    def load_state_dict(self, state: Mapping[str, npt.NDArray[Any]]) -> None:
        """Go on from what :meth:`state_dict` returned.

        Raises ``InvalidInput``, and changes nothing, where a name, shape or number does not fit.
        """
        fitting("vibration state", self.state_dict(), state)
        if state["filled"][0] >= self.window or not np.isfinite(state["open"]).all():
            raise InvalidInput("vibration state", "damaged", f"give finite samples, fewer than {self.window}")
        self._gaussian.load_state_dict({k.removeprefix(GAUSSIAN): v for k, v in state.items() if GAUSSIAN in k})
        self._memory.take(state)
