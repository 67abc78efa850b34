"""What a linear layer with a bias says of its inputs, without any search.

Of one example, row i of the gradient of such a layer is d_i x and that of its bias d_i: their ratio is the input
(Phong et al., IEEE TIFS 2018, section III). Of several, a row in which only one is active is that one (Boenisch et al.,
EuroS&P 2023, arXiv:2112.02918); the others are mixtures.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.floating]
TINY = 1e-6  # of the largest: a row that was not active
FLAT = 0.1  # a standard deviation: less is no picture


def candidates(weight: Array, bias: Array) -> Array:
    """All that the gradients [rows, pixels] and [rows] suggest, [n, pixels]: the ratio row by row, that of all rows by
    least squares, and the first right singular vector, which is the likeliest where there is noise."""
    weight, bias = weight.astype(np.float64), bias.astype(np.float64)
    made = []
    alive = np.abs(bias) > TINY * max(np.abs(bias).max(), 1e-30)
    if alive.any():
        made.append(weight[alive] / bias[alive, None])
        made.append((bias @ weight / (bias @ bias))[None])
    if weight.any():
        _, vectors = np.linalg.eigh(weight @ weight.T)
        main = vectors[:, -1] @ weight
        main = main * np.sign(main.sum())
        made.append((main / max(np.abs(main).max(), 1e-30))[None])
    return np.concatenate(made) if made else np.zeros((0, weight.shape[1]))


def chosen(made: Array) -> int:
    """The candidate [n, pixels] that an attacker who knows no true one believes in: pixels are nearly black or white,
    and none is beyond; mixtures are grey."""
    doubt = np.abs(made * (1 - made)).mean(1)
    doubt[np.clip(made, 0, 1).std(1) < FLAT] = np.inf
    return int(doubt.argmin())
