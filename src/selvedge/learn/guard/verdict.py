"""What a model says of samples, judged: by how often it is right, and by how well it knows."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ..metrics import each_loss, each_right
from . import classes

Array = npt.NDArray[Any]
TEMPERATURES = (0.5, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0, 1e6)


def merit(kind: str, output: Array, target: Array) -> Array:
    """How good each output is, float64 [n]: 1 or 0 where there are classes (a share, where a sample has several
    places), else minus its loss. ``kind``: the loss's class name."""
    if classes.one_each(kind, output, target):
        return classes.right(output, target)
    found = each_right(kind, output, target)
    return np.asarray(-each_loss(kind, output, target) if found is None else found, np.float64)


def knowledge(kind: str, output: Array, target: Array, temperature: float = 1.0) -> Array:
    """How well each output knows its target, float64 [n]: of one class among several minus half the Brier score, -1..0
    (Brier 1950), of the logits over ``temperature``; else the merit.

    It is a proper score: to be surer without being right more often is not better. It says more than right and wrong
    do: a few dozen samples tell two models apart."""
    if classes.one_each(kind, output, target):
        return classes.knowledge(output, target, temperature)
    return merit(kind, output, target)


def fairly(kind: str, output: Array, target: Array) -> Array:
    """:func:`knowledge` at the one temperature that serves these outputs best: whoever merely became unsure, of labels
    that mean nothing, has no gain over one who might have become so too."""
    each = [knowledge(kind, output, target, t) for t in TEMPERATURES]
    return each[int(np.argmax([found.mean() for found in each]))]


def gains(kind: str, ours: Array, theirs: Array) -> Array:
    """What one model has over another on the same samples, [n], each in -1..1, of :func:`merit` or :func:`knowledge`:
    the difference; of losses, which have no upper end, over their sum."""
    if kind in ("CrossEntropy", "BCEWithLogits"):
        return ours - theirs
    return np.asarray((ours - theirs) / np.maximum(-ours - theirs, 1e-30))
