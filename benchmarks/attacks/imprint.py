"""A model that is made to tell: the server chooses the weights, and masks hide nothing of what it then reads.

Every row of the first layer measures brightness, with a bias of its own; what one row has and the next has not is the
gradient of those examples whose brightness lies between the two. Alone there, an example is read as it is (Fowl et al.,
ICLR 2022, arXiv:2110.13057), of however many devices the sum is.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.floating]
SEED = 11


def weights(rows: int, public: Array, classes: int) -> dict[str, Array]:
    """Of a net of two linear layers with a ReLU between. public: [n, H, W] in 0..1, whose brightness is as the
    victims' is."""
    flat = public.reshape(len(public), -1)
    bins = np.quantile(flat.mean(1), np.arange(rows) / rows)
    down = np.random.default_rng(SEED).normal(0, 0.1, classes)
    return {
        "0.weight": np.full((rows, flat.shape[1]), 1 / flat.shape[1], np.float32),
        "0.bias": np.float32(-bins),
        "2.weight": np.float32(np.repeat(down[:, None], rows, 1)),
        "2.bias": np.zeros(classes, np.float32),
    }


def candidates(weight: Array, bias: Array) -> Array:
    """One of each pair of neighbours whose gradients differ: [n, pixels]."""
    weight, bias = weight.astype(np.float64), bias.astype(np.float64)
    between = np.append(weight[:-1] - weight[1:], weight[-1:], axis=0)
    amount = np.append(bias[:-1] - bias[1:], bias[-1:])
    alive = np.abs(amount) > 1e-3 * max(np.abs(amount).max(), 1e-30)
    return between[alive] / amount[alive, None]
