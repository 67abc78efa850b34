"""What is wanted of each sample of a batch: the target of ``selvedge.remembering``."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ...artifact.number import finite
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
        heat = finite(temperature)
        if heat is None or heat <= 0:
            raise InvalidInput("temperature", temperature, "give a number above 0")
        self.classes, self.temperature = classes, heat
        self.target = np.zeros((n, 4 * classes + 1), np.float32)

    def label(self, y: Array, weight: float = 1.0, rows: slice | Array = slice(None)) -> Wanted:
        """The cross entropy to the classes ``y``, int."""
        part, classes = self._part(rows, 0), np.asarray(y)
        fix = f"give a class 0..{self.classes - 1} for each of {len(part)} samples"
        if classes.shape != part.shape[:1] or (classes.size and classes.dtype.kind not in "iu"):
            raise InvalidInput("y", f"{classes.dtype}{list(classes.shape)}", fix)
        if classes.size and not 0 <= classes.min() <= classes.max() < self.classes:
            odd = classes[(classes < 0) | (classes >= self.classes)][0]
            raise InvalidInput("y", f"{odd} for one of them", fix)
        own = np.eye(self.classes, dtype=np.float32)[classes.astype(np.intp)]
        self._put(rows, 0, own * self._weight(weight))
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
        taught = np.asarray(known)
        if taught.shape != (self.classes,) or taught.dtype != np.bool_ or not taught.any():
            told = f"{taught.dtype}{list(taught.shape)}"
            raise InvalidInput("known", told, f"give bool [{self.classes}], one of them true")
        z = np.where(known, np.asarray(teacher, np.float64) / self.temperature, -np.inf)
        p = np.exp(z - z.max(1, keepdims=True))
        self._put(rows, 2 * self.classes + 1, p / p.sum(1, keepdims=True) * self._weight(weight))
        self._put(rows, 3 * self.classes + 1, np.broadcast_to(np.float32(known), z.shape))
        return self

    def _part(self, rows: slice | Array, start: int) -> Array:
        try:
            return np.asarray(self.target[rows, start : start + self.classes])
        except (IndexError, TypeError, ValueError):
            fix = f"give numbers of samples, 0..{len(self.target) - 1}, or a slice"
            raise InvalidInput("rows", rows, fix) from None

    def _put(self, rows: slice | Array, start: int, values: Array) -> None:
        self.target[rows, start : start + self.classes] = values

    def _alike(self, what: str, given: Array, rows: slice | Array) -> None:
        shape, found = self._part(rows, 0).shape, np.asarray(given)
        if found.shape != shape or found.dtype.kind not in "fiu" or not np.isfinite(found).all():
            raise InvalidInput(what, f"{found.dtype}{list(found.shape)}", f"give finite numbers {list(shape)}")

    def _weight(self, weight: float) -> float:
        found = finite(weight)
        if found is None or found < 0:
            raise InvalidInput("weight", weight, "give a number of at least 0")
        return found
