"""How like two pictures are, and how many of what was looked for were found."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.floating]
FOUND = 0.95  # of a correlation: nobody asks which of the two is which
WINDOW, SIGMA = 11, 1.5  # of SSIM
C1, C2 = 0.01**2, 0.03**2


def correlation(a: Array, b: Array) -> float:
    """Pearson's, over pixels; 0 where one of them is of one grey."""
    return float(correlations(a[None], b[None])[0, 0])


def correlations(a: Array, b: Array) -> Array:
    """[n, m], of each of ``a`` [n, ...] with each of ``b`` [m, ...]."""
    return _standard(a) @ _standard(b).T


def _standard(pictures: Array) -> Array:
    flat = pictures.reshape(len(pictures), -1).astype(np.float64)
    flat = flat - flat.mean(1, keepdims=True)
    norm = np.linalg.norm(flat, axis=1, keepdims=True)
    return np.divide(flat, norm, out=np.zeros_like(flat), where=norm > 1e-12)


def psnr(a: Array, b: Array) -> float:
    """Decibels, for pictures in 0..1; at most 100."""
    error = float(np.mean((a.astype(np.float64) - b) ** 2))
    return float(min(100.0, -10 * np.log10(max(error, 1e-10))))


def ssim(a: Array, b: Array) -> float:
    """The mean over every window of 11 x 11 of pictures [H, W] in 0..1 (Wang et al., IEEE TIP 2004, equation 13)."""
    a, b = a.astype(np.float64), b.astype(np.float64)
    ma, mb = _blurred(a), _blurred(b)
    va, vb, both = _blurred(a * a) - ma**2, _blurred(b * b) - mb**2, _blurred(a * b) - ma * mb
    top = (2 * ma * mb + C1) * (2 * both + C2)
    return float(np.mean(top / ((ma**2 + mb**2 + C1) * (va + vb + C2))))


def _blurred(picture: Array) -> Array:
    at = np.arange(WINDOW) - WINDOW // 2
    kernel = np.exp(-(at**2) / (2 * SIGMA**2))
    kernel /= kernel.sum()
    rows = np.lib.stride_tricks.sliding_window_view(picture, WINDOW, 0) @ kernel
    return np.lib.stride_tricks.sliding_window_view(rows, WINDOW, 1) @ kernel


def nearest(guess: Array, true: Array) -> int:
    """Which of ``true`` [n, H, W] the guess [H, W] is most like."""
    return int(correlations(guess[None], true)[0].argmax())


def found(candidates: Array, true: Array) -> float:
    """The share of ``true`` [n, H, W] that some candidate [m, H, W] is, as who knows them would see: a bound of what
    leaks, beside the one guess of an attacker who does not."""
    if not len(candidates):
        return 0.0
    return float(np.mean(correlations(candidates, true).max(0) > FOUND))
