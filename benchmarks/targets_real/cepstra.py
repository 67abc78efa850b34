"""The inputs that MLPerf Tiny's keyword network was trained on: mel cepstra, as TensorFlow's ``tf.signal`` has them.

Of a second at 16 kHz, over its largest sample: |X| of 49 frames of 30 ms, 20 ms apart, under a periodic Hann window; 40
triangles that are even *in mel*, mel(f) = 1127 ln(1 + f / 700), between 20 and 4000 Hz, the constant left out; the
logarithm; and the first ten of y[k] = 2 sum_n v[n] cos(pi k (2 n + 1) / 80), over sqrt(80)."""

from __future__ import annotations

import numpy as np
from scipy.fft import dct
from scipy.signal import resample_poly

RATE, WINDOW, HOP, FFT, BANDS, KEPT = 16000, 480, 320, 512, 40, 10
LOW, HIGH, FLOOR = 20.0, 4000.0, 1e-6


def cepstra(signal: np.ndarray, rate: int) -> np.ndarray:
    """``signal`` [any] at ``rate`` samples a second -> float32 [49, 10]."""
    sound = resample_poly(signal.astype(np.float64), RATE, rate)[:RATE]
    sound = np.pad(sound / sound.max(), (0, RATE - len(sound)))
    frames = np.lib.stride_tricks.sliding_window_view(sound, WINDOW)[::HOP]
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(WINDOW) / WINDOW)
    bands = np.abs(np.fft.rfft(frames * hann, FFT, axis=1)) @ _bank()
    found = dct(np.log(bands + FLOOR), axis=1)[:, :KEPT] / np.sqrt(2 * BANDS)
    return np.asarray(found, np.float32)


def _bank() -> np.ndarray:
    """[FFT / 2 + 1, BANDS]"""
    low, high = _mel(np.array([LOW, HIGH]))
    points = np.linspace(low, high, BANDS + 2)
    bins = _mel(np.arange(FFT // 2 + 1) * RATE / FFT)[:, None]
    rise, fall = ((bins - points[:-2]) / np.diff(points)[:-1], (points[2:] - bins) / np.diff(points)[1:])
    bank = np.maximum(0, np.minimum(rise, fall))
    bank[0] = 0
    return np.asarray(bank)


def _mel(hertz: np.ndarray) -> np.ndarray:
    return np.asarray(1127 * np.log1p(hertz / 700))
