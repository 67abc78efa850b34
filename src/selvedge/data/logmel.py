"""The logarithm of mel-band energies, in numpy.

With x the signal, w a periodic Hann window of ``window`` samples, and t counting frames ``hop`` samples apart:
X[t, k] = sum_n x[t hop + n] w[n] exp(-2 pi i k n / fft), P = |X|^2, and v[t, b] = ln(sum_k P[t, k] M[k, b] + 1e-6).
M are triangles between points that lie evenly on mel(f) = 2595 log10(1 + f / 700) (O'Shaughnessy, *Speech
communication*, 1987, p. 150), each 1 at its peak.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from ..artifact.features import LogMel

FLOOR = 1e-6


def log_mel(signal: npt.NDArray[np.float32], of: LogMel) -> npt.NDArray[np.float32]:
    """``signal`` [any], in -1..1, cut or filled with silence to ``of.samples`` -> float32 ``of.shape``, not yet
    normalised."""
    frames = np.lib.stride_tricks.sliding_window_view(fitted(signal, of.samples), of.window)[:: of.hop]
    phase = 2 * np.pi * np.arange(of.window) / of.window
    spectrum = np.fft.rfft(frames.astype(np.float64) * (0.5 - 0.5 * np.cos(phase)), of.fft, axis=1)
    energy = (spectrum.real**2 + spectrum.imag**2) @ _bank(of.rate, of.fft, of.bands, of.low, of.high)
    values = np.log(energy + FLOOR).astype(np.float32)
    return (values if of.time_first else values.T).reshape(of.shape)


def fitted(signal: npt.NDArray[np.float32], samples: int) -> npt.NDArray[np.float32]:
    """``signal``, cut or filled with zeros at its end."""
    if len(signal) >= samples:
        return signal[:samples]
    return np.concatenate([signal, np.zeros(samples - len(signal), np.float32)])


@lru_cache(maxsize=8)
def _bank(rate: int, fft: int, bands: int, low: float, high: float) -> npt.NDArray[np.float64]:
    """M [fft / 2 + 1, bands]."""
    first, last = (2595 * math.log10(1 + f / 700) for f in (low, high))
    points = 700 * (10 ** (np.linspace(first, last, bands + 2) / 2595) - 1)
    bins = np.arange(fft // 2 + 1)[:, None] * rate / fft
    rise = (bins - points[:-2]) / (points[1:-1] - points[:-2])
    fall = (points[2:] - bins) / (points[2:] - points[1:-1])
    bank: npt.NDArray[np.float64] = np.maximum(0, np.minimum(rise, fall))
    # A band narrower than a bin of the FFT takes the bin that lies nearest.
    for band in np.flatnonzero(bank.sum(0) == 0):
        bank[int(np.abs(bins[:, 0] - points[band + 1]).argmin()), band] = 1.0
    return bank
