"""A network in compiled code on this machine: what it says of the test data."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ...learn.metrics import Arrays, Score, scored
from ...run.session import Session
from .losses import KINDS
from .parts import Array


def native(session: Session, samples: Arrays, loss: str, tell: Callable[[int], None]) -> Score:
    """Of ``session``, a sample at a time. tell: is told how many are done."""
    done = 0

    def predicted(x: Array) -> Array:
        nonlocal done
        found = []
        for i in range(len(x)):
            given = session.predict(x[i : i + 1])
            found.append(given[0] if isinstance(given, tuple) else given)
        done += len(x)
        tell(done)
        return np.concatenate(found)

    return scored(KINDS[loss], predicted, samples)
