"""Small learners that say, in milliseconds, how well samples teach."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Points = npt.NDArray[np.float64]
Labels = npt.NDArray[Any]


def nearest(x: Points, y: Labels, others: Points) -> Labels:
    """The label of the nearest sample by the angle between them: it gains from many as from fine ones."""
    told: Labels = y[(_unit(others) @ _unit(x).T).argmax(1)]
    return told


def nearest_mean(x: Points, y: Labels, others: Points) -> Labels:
    """The class whose mean is nearest."""
    names = np.unique(y)
    means = np.stack([x[y == name].mean(0) for name in names])
    told: Labels = names[(others @ means.T - (means**2).sum(1) / 2).argmax(1)]
    return told


def ridge(x: Points, y: Labels, others: Points) -> Labels:
    """A linear probe in closed form: least squares on one-hot labels, a tenth of the mean square as its penalty."""
    names = np.unique(y)
    centre = x.mean(0)
    x, others = x - centre, others - centre
    gram = x @ x.T
    gram[np.diag_indices(len(x))] += 0.1 * np.trace(gram) / len(x) + 1e-12
    weights = np.linalg.solve(gram, np.where(y[:, None] == names, 1.0, -1.0))
    told: Labels = names[((others @ x.T) @ weights).argmax(1)]
    return told


def _unit(points: Points) -> Points:
    made: Points = points / np.maximum(np.linalg.norm(points, axis=1, keepdims=True), 1e-12)
    return made
