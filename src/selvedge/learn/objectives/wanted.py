"""What is wanted of each sample of a batch: the target of ``selvedge.remembering``."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from ...errors import InvalidInput
from ..given import whole

Array = npt.NDArray[Any]


class Wanted:
    """The target of a batch of ``n`` samples, written part by part; each method gives the target itself back.

    ``rows``: which samples a part is of, as a slice or numbers; weights multiply that part of the loss, and the mean is
    over all n. temperature: that of the plan's ``selvedge.remembering``.

    >>> # wanted = Wanted(20, 10).label(y).logits(found.beside, 0.3, slice(10, 20))     DER++: ten new, ten remembered
    >>> # session.step(x, wanted.target)
    """

    def __init__(self, n: int, classes: int, temperature: float = 2.0) -> None:
        """Raises ``InvalidInput`` for no sample, fewer than 2 classes and a temperature that is not above 0."""
        if whole("n", n) < 1 or whole("classes", classes) < 2:
            raise InvalidInput("wanted", f"{n} samples of {classes} classes", "give 1 or more, of 2 or more")
        if not (math.isfinite(temperature) and temperature > 0):
            raise InvalidInput("temperature", temperature, "give a number above 0")
        self.classes, self.temperature = classes, float(temperature)
        self.target = np.zeros((n, 4 * classes + 1), np.float32)

    def label(self, y: Array, weight: float = 1.0, rows: slice | Array = slice(None)) -> Wanted:
        """The cross entropy to the classes ``y``, int."""
        part = self._part(rows, 0)
        if part.shape[:1] != np.shape(y) or (len(y) and not 0 <= np.min(y) <= np.max(y) < self.classes):
            raise InvalidInput("y", np.shape(y), f"give a class 0..{self.classes - 1} for each of {len(part)} samples")
        self._put(rows, 0, np.eye(self.classes, dtype=np.float32)[np.asarray(y)] * self._weight(weight))
        return self

    def logits(self, stored: Array, weight: float, rows: slice | Array = slice(None)) -> Wanted:
        """``weight`` times the mean square to logits that were stored, [n, classes]: DER, and with labels DER++."""
        self._alike("logits", stored, rows)
        self.target[rows, self.classes] = self._weight(weight)
        self._put(rows, self.classes + 1, stored)
        return self

    def taught(self, teacher: Array, known: Array, weight: float, rows: slice | Array = slice(None)) -> Wanted:
        """``weight`` times the distillation of a teacher's logits [n, classes], over the classes ``known``, bool
        [classes], alone: LwF."""
        self._alike("teacher", teacher, rows)
        if np.shape(known) != (self.classes,) or not np.any(known):
            raise InvalidInput("known", np.shape(known), f"give bool [{self.classes}], one of them true")
        z = np.where(known, np.asarray(teacher, np.float64) / self.temperature, -np.inf)
        p = np.exp(z - z.max(1, keepdims=True))
        self._put(rows, 2 * self.classes + 1, p / p.sum(1, keepdims=True) * self._weight(weight))
        self._put(rows, 3 * self.classes + 1, np.broadcast_to(np.float32(known), z.shape))
        return self

    def _part(self, rows: slice | Array, start: int) -> Array:
        return np.asarray(self.target[rows, start : start + self.classes])

    def _put(self, rows: slice | Array, start: int, values: Array) -> None:
        self.target[rows, start : start + self.classes] = values

    def _alike(self, what: str, given: Array, rows: slice | Array) -> None:
        shape = self._part(rows, 0).shape
        if np.shape(given) != shape or not np.isfinite(given).all():
            raise InvalidInput(what, f"of shape {list(np.shape(given))}", f"give finite numbers {list(shape)}")

    def _weight(self, weight: float) -> float:
        if not (math.isfinite(weight) and weight >= 0):
            raise InvalidInput("weight", weight, "give a number of at least 0")
        return float(weight)
