"""int8 linear layer.

Sources: ``fully_connected.cc`` (FullyConnectedInt8 of kReference), ``internal/reference/integer_ops/fully_connected.h``
(the functions that take scales): accumulators are rescaled in float64, not in fixed point.
"""

from __future__ import annotations

import numpy as np

from .requantise import RequantiseFloat64


def linear(
    x: np.ndarray,
    w: np.ndarray,
    bias: np.ndarray | None,
    *,
    x_zero: int,
    w_zero: int = 0,
    requantise: RequantiseFloat64,
) -> np.ndarray:
    """int8 [..., I] by int8 [O, I] and int32 [O] to int8 [..., O]. ``w_zero``: old files have weights that are not
    symmetric."""
    # Exact: see convolution.accumulate.
    sums = ((x.astype(np.float64) - x_zero) @ (w.astype(np.float64) - w_zero).T).astype(np.int64)
    return requantise(sums if bias is None else sums + bias)
