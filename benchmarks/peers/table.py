"""Who runs, in the order of the columns; and that two of them do the same work."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from ..work import Work
from . import executorch, inductor, native, pytorch
from .contestant import Contestant, Failed

PEERS: Mapping[str, Callable[[Work], Contestant]] = {
    "selvedge": native.prepare,
    "pytorch": pytorch.prepare,
    "compile": inductor.prepare,
    "executorch": executorch.prepare,
}
# Of a gradient, norm-wise. Rounding is 1e-6; one ReLU input within rounding of 0 takes a whole branch along (0.6 % of
# the stem's gradient in resnet8?norm=none at batch 8); what is computed wrongly is off by tens of percent.
TOLERANCE = 0.02


def agree(one: Contestant, reference: Contestant) -> None:
    """Raises :class:`Failed` unless the loss and every gradient are the reference's.

    A gradient below a millionth of the largest is rounding and is compared on that scale.
    """
    if not abs(one.loss - reference.loss) <= 1e-4 * (1 + abs(reference.loss)):
        raise Failed(f"wrong loss: {one.loss:.6g}, PyTorch's is {reference.loss:.6g}")
    if set(one.gradients) != set(reference.gradients):
        odd = sorted(set(one.gradients) ^ set(reference.gradients))[0]
        raise Failed(f"gradients of other parameters: {odd}")
    floor = 1e-6 * max(float(np.linalg.norm(g)) for g in reference.gradients.values())
    for name, expected in reference.gradients.items():
        error = float(np.linalg.norm(one.gradients[name] - expected)) / max(float(np.linalg.norm(expected)), floor)
        if not error <= TOLERANCE:
            raise Failed(f"wrong gradient of {name}: {error:.1%} off PyTorch's")
