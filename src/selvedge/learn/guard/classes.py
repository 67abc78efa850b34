"""Logits of samples that have one class each: whether they are right, their loss, and how well they know the class.

A learner asks this of a few samples in every round, and then the calls of numpy are what it costs: so these are few.
Bit for bit it is what :mod:`selvedge.learn.metrics` says, which takes any shape and other losses too.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


def one_each(kind: str, output: Array, target: Array) -> bool:
    """Whether these are such logits [n, classes] and classes [n]. ``kind``: the loss's class name."""
    return kind == "CrossEntropy" and output.ndim == 2 and target.ndim == 1


def right(logits: Array, y: Array) -> npt.NDArray[np.float64]:
    """[n]: 1 where the largest is the class's, else 0."""
    found: npt.NDArray[np.bool_] = logits.argmax(1) == y
    return found.astype(np.float64)


def losses(logits: Array, y: Array) -> npt.NDArray[np.float64]:
    """[n]: cross entropy, in double."""
    z = logits.astype(np.float64)
    top = np.maximum.reduce(z, 1, keepdims=True)
    each: npt.NDArray[np.float64] = np.log(np.add.reduce(np.exp(z - top), 1))
    each += top[:, 0]
    each -= z[np.arange(len(z)), y]
    return each


def knowledge(logits: Array, y: Array, temperature: float) -> npt.NDArray[np.float64]:
    """[n]: minus half the Brier score of the logits over ``temperature``, in double."""
    z = logits.astype(np.float64)
    if temperature != 1:
        z /= temperature
    p = np.exp(z - np.maximum.reduce(z, 1, keepdims=True))
    p /= np.add.reduce(p, 1, keepdims=True)
    p[np.arange(len(p)), y] -= 1
    p *= p
    found: npt.NDArray[np.float64] = -np.add.reduce(p, 1) / 2
    return found
