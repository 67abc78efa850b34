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
ROUGH = 0.3  # what a difference of neighbours counts beside grey


def candidates(weight: Array, bias: Array) -> Array:
    """The ratio of each row that was active, of the gradients [rows, pixels] and [rows]: [n, pixels]."""
    alive = np.abs(bias) > TINY * max(np.abs(bias).max(), 1e-30)
    return weight[alive].astype(np.float64) / bias[alive, None]


def single(weight: Array) -> Array:
    """Where there is one example - a head says how many - all rows are multiples of it: the first right singular vector
    is the likeliest one where noise or a codec has been over them. [1, pixels], as large as 1."""
    weight = weight.astype(np.float64)
    if not weight.any():
        return np.zeros((0, weight.shape[1]))
    main = np.linalg.eigh(weight @ weight.T)[1][:, -1] @ weight
    main *= np.sign(main.sum())
    return main[None] / np.abs(main).max()


def chosen(made: Array) -> int:
    """The candidate of [n, H, W] that an attacker who knows no true one believes in: pixels are nearly black or white,
    none is beyond, and neighbours are alike; mixtures are grey, and noise is rough."""
    doubt = np.abs(made * (1 - made)).mean((1, 2))
    doubt += ROUGH * (np.abs(np.diff(made, axis=1)).mean((1, 2)) + np.abs(np.diff(made, axis=2)).mean((1, 2)))
    doubt[np.clip(made, 0, 1).std((1, 2)) < FLAT] = np.inf
    return int(doubt.argmin())
