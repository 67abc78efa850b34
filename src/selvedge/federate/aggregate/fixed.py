"""Sums that do not depend on their order: whole numbers of a fixed step."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ...errors import InvalidInput

CHUNK = 1 << 15  # elements at a time: they stay in the cache
SPARSE = 8  # of so many elements one is another number than 0, or fewer are
EXACT = 53  # bits of a float64
MAGIC = 1.5 * 2.0**52  # what is added to it, if below 2**51, stands in its lower bits as a whole number, as rint has it
BITS = int(np.array(MAGIC).view(np.int64))


class Beyond(ValueError):
    """A number larger than what was agreed on; ``str()`` says so in one line."""


class FixedSum:
    """Sum of weight times vector, in int64 of 2**-``fraction``: the same bits in whatever order they come.

    bound: no element may be larger. weights: what all weights together may come to, a whole number. What is left of 62
    bits is the fraction, at most 40: a term is off by half a step at the most, which is stated at :attr:`error`.
    """

    def __init__(self, size: int, bound: float = 64.0, weights: int = 1 << 24) -> None:
        if not 0 < bound < 2**30 or not 0 < weights < 2**40:
            raise InvalidInput(
                "sum", f"bound {bound}, weights {weights}", "give a bound below 2**30, weights below 2**40"
            )
        self.size, self.bound, self.most = size, float(bound), int(weights)
        self.fraction = min(40, 62 - int(np.ceil(np.log2(bound))) - int(self.most - 1).bit_length())
        if self.fraction < 1:
            raise InvalidInput(
                "sum", f"bound {bound}, weights {weights}", "give smaller ones: nothing is left for digits"
            )
        self._total = np.zeros(size, np.int64)
        self._owed = 0  # how often BITS are in each element of it, which wraps
        self.weight = 0
        self.counts: npt.NDArray[np.int64] | None = None  # of each element, where not all have all
        self._wide, self._whole = np.empty(min(CHUNK, size)), np.empty(min(CHUNK, size), np.int64)

    @property
    def total(self) -> npt.NDArray[np.int64]:
        """int64 [size]: the sum, in steps."""
        if self._owed:
            owed = self._owed * BITS & (1 << 64) - 1
            self._total -= np.array(owed, np.uint64).astype(np.int64)
            self._owed = 0
        return self._total

    @property
    def bytes(self) -> int:
        return self._total.nbytes + (0 if self.counts is None else self.counts.nbytes)

    @property
    def error(self) -> float:
        """That of each term at the most, weight times element."""
        return float(2.0 ** -(self.fraction + 1))

    def add(
        self, vector: npt.NDArray[Any], weight: int, where: npt.NDArray[np.int64] | None = None, of: int | None = None
    ) -> None:
        """vector: float32 or float64 [size], or [len(where)] for the elements at ``where``, each at most once. of: what
        the mean divides by for it, where that is more than ``weight``: what it would weigh if it were not old.

        Raises :class:`Beyond`, and nothing is added, for a number that is larger than the bound or none, and for more
        weight than was said.
        """
        self.put(vector, weight, self.check(vector, weight, of), where, of)

    def put(
        self, vector: npt.NDArray[Any], weight: int, largest: float, where: npt.NDArray[np.int64] | None = None,
        of: int | None = None,
    ) -> None:  # fmt: skip
        """:meth:`add` what :meth:`check` has just found to be at most ``largest``."""
        of = weight if of is None else of
        scale = float(weight) * 2.0**self.fraction
        if where is None and self.counts is None and SPARSE * np.count_nonzero(vector[:CHUNK]) < min(CHUNK, self.size):
            here = np.flatnonzero(vector != 0)  # to the others nothing is added; of numbers it takes five times as long
            self.total[here] += np.rint(vector[here].astype(np.float64) * scale).astype(np.int64)
        elif where is not None or self.counts is not None:
            place = np.arange(self.size) if where is None else where
            if self.counts is None:
                self.counts = np.full(self.size, self.weight, np.int64)
            self.total[place] += np.rint(vector.astype(np.float64) * scale).astype(np.int64)
            self.counts[place] += of
        else:
            near = largest * scale < 2.0**51 - 1
            for start in range(0, self.size, CHUNK):
                rows = slice(start, start + CHUNK)
                part, total = vector[rows], self._total[rows]
                wide, whole = self._wide[: len(part)], self._whole[: len(part)]
                np.copyto(wide, part)
                wide *= scale
                if near:  # one pass for three
                    wide += MAGIC
                    total += wide.view(np.int64)
                else:
                    np.rint(wide, out=wide)
                    np.copyto(whole, wide, casting="unsafe")
                    total += whole
            self._owed += near
        self.weight += of

    def check(self, vector: npt.NDArray[Any], weight: int, of: int | None = None) -> float:
        """The largest magnitude. Raises :class:`Beyond` for what :meth:`add` would not take."""
        of = weight if of is None else of
        if not 1 <= weight <= of or self.weight + of > self.most:
            raise Beyond(f"a weight of {of} where {self.most - self.weight} is left")
        # NaN is in no range: the comparison is the right way round.
        largest = float(max(vector.max(), -vector.min())) if len(vector) else 0.0
        if not largest <= self.bound:
            raise Beyond(f"a change beyond {self.bound:g}, or no number")
        return largest

    def mean(self) -> npt.NDArray[np.float64]:
        """float64 [size]: the weighted mean over those who had each element; 0 where nobody had it."""
        each: Any = self.weight if self.counts is None else self.counts
        return np.asarray(self.total / np.maximum(each, 1) * 2.0**-self.fraction)

    def state_dict(self) -> dict[str, npt.NDArray[np.int64]]:
        state = {"total": self.total.copy(), "weight": np.array(self.weight)}
        return state if self.counts is None else {**state, "counts": self.counts.copy()}

    def load_state_dict(self, state: dict[str, npt.NDArray[np.int64]]) -> None:
        self.total[...] = state["total"]
        self.weight = int(state["weight"])
        self.counts = state["counts"].copy() if "counts" in state else None
