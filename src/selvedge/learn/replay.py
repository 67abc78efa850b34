"""Earlier samples in a fixed number of bytes, balanced over the classes whatever the order of the stream."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from operator import index
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import InvalidInput

_WORD = (1 << 64) - 1


class Replay:
    """A class-balancing reservoir (Chrysakis & Moens, *Online Continual Learning from Imbalanced Data*).

    While there is room every sample is kept. Then a class that has never been the largest takes a slot from
    the largest; any other replaces one of its own with probability held / seen, so that what is held of a
    class stays a uniform sample of what was seen. Hence, once full, every class either holds all that was
    seen of it or is within one sample of the largest.

    All that it remembers lives in one array of ``bytes`` <= ``capacity_bytes``, allocated once: the samples,
    a label byte each, per class a counter (4 B) and a mark (1 B), the number held (4 B), the random
    state (8 B).

    capacity_bytes: the bound on all of this. sample_shape, dtype: of one sample, without the batch.
    classes: labels are 0..classes-1, at most 256. seed: of every random choice.
    Raises ``InvalidInput`` where not even one sample fits, and for anything that is no size, shape, number or dtype.
    """

    def __init__(
        self,
        capacity_bytes: int,
        sample_shape: tuple[int, ...],
        dtype: npt.DTypeLike = np.uint8,
        *,
        classes: int,
        seed: int = 0,
    ) -> None:
        kind = _dtype(dtype)
        capacity_bytes, classes = _whole("capacity_bytes", capacity_bytes), _whole("classes", classes)
        seed = _whole("seed", seed)
        if not isinstance(sample_shape, tuple | list):
            raise InvalidInput("sample_shape", sample_shape, "give a tuple, as (1, 28, 28)")
        sample_shape = tuple(_whole("sample_shape", n) for n in sample_shape)
        if kind.hasobject or min(sample_shape, default=1) < 1:
            raise InvalidInput("sample", f"{kind}{list(sample_shape)}", "give numbers and sizes of at least 1")
        if not 1 <= classes <= 256:
            raise InvalidInput("classes", classes, "give 1..256: a label is one byte")
        fixed = 8 + 4 + 5 * classes
        item = prod(sample_shape) * kind.itemsize + 1
        self.capacity = (capacity_bytes - fixed) // item
        if self.capacity < 1:
            raise InvalidInput("capacity_bytes", capacity_bytes, f"one sample needs {fixed + item} B: give as many")
        self.classes = classes
        self._buffer = np.zeros(fixed + self.capacity * item, np.uint8)
        offset = 0

        def carve(shape: tuple[int, ...], kind: npt.DTypeLike) -> npt.NDArray[Any]:
            nonlocal offset
            view: npt.NDArray[Any] = np.ndarray(shape, kind, self._buffer.data, offset)
            offset += view.nbytes
            return view

        self._state: dict[str, npt.NDArray[Any]] = {
            "random": carve((1,), np.uint64),
            "count": carve((1,), np.uint32),
            "seen": carve((classes,), np.uint32),
            "full": carve((classes,), np.bool_),
            "labels": carve((self.capacity,), np.uint8),
            "samples": carve((self.capacity, *sample_shape), kind),
        }
        self._state["random"][0] = seed & _WORD

    @property
    def bytes(self) -> int:
        """Bytes of the buffer, exactly; constant from the first day."""
        return self._buffer.nbytes

    @property
    def held(self) -> npt.NDArray[np.intp]:
        """Samples held of each class, [classes]."""
        return np.bincount(self._state["labels"][: len(self)], minlength=self.classes)

    @property
    def sample_shape(self) -> tuple[int, ...]:
        """Of one sample, without the batch."""
        return self._state["samples"].shape[1:]

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of one sample as it is given and taken."""
        return self._state["samples"].dtype

    def __len__(self) -> int:
        return int(self._state["count"][0])

    def all(self) -> tuple[npt.NDArray[Any], npt.NDArray[np.int32]]:
        """Every sample held, and its label: x [len(self), *sample_shape], y int32 [len(self)]; copies."""
        count = len(self)
        return self._state["samples"][:count].copy(), self._state["labels"][:count].astype(np.int32)

    def add(self, x: npt.ArrayLike, label: int) -> None:
        """Offer one sample (``sample_shape``, ``dtype``) with its label; the reservoir may let it pass.

        Raises ``InvalidInput`` for a wrong shape, dtype or label, before anything changes.
        """
        samples, seen, full = self._state["samples"], self._state["seen"], self._state["full"]
        sample = np.asarray(x)
        if sample.shape != samples.shape[1:] or sample.dtype != samples.dtype:
            wanted = f"{samples.dtype}{list(samples.shape[1:])}"
            raise InvalidInput("sample", f"{sample.dtype}{list(sample.shape)}", f"give {wanted}")
        label = _whole("label", label)
        if not 0 <= label < self.classes:
            raise InvalidInput("label", label, f"give 0..{self.classes - 1}")
        slot = self._slot(label)
        # A counter that stands at its end only makes the class's samples age a little more slowly.
        seen[label] = min(int(seen[label]) + 1, 0xFFFFFFFF)
        if slot is None:
            return
        samples[slot] = sample
        self._state["labels"][slot] = label
        self._state["count"][0] = max(len(self), slot + 1)
        if len(self) == self.capacity:
            held = self.held
            full |= held == held.max()

    def sample(self, n: int) -> tuple[npt.NDArray[Any], npt.NDArray[np.int32]]:
        """``n`` different samples, drawn uniformly: x [n, *sample_shape], y int32 [n].

        Raises ``InvalidInput`` unless 0 <= n <= ``len(self)``.
        """
        n = _whole("n", n)
        if not 0 <= n <= len(self):
            raise InvalidInput("n", n, f"{len(self)} samples are held")
        picks = np.arange(len(self))
        for i in range(n):
            j = i + self._below(len(self) - i)
            picks[i], picks[j] = picks[j], picks[i]
        chosen = picks[:n]
        return self._state["samples"][chosen], self._state["labels"][chosen].astype(np.int32)

    def state_dict(self) -> dict[str, npt.NDArray[Any]]:
        """Copies of everything remembered, by name: a replay that loads them goes on as this one would."""
        return {name: array.copy() for name, array in self._state.items()}

    def load_state_dict(self, state: Mapping[str, npt.NDArray[Any]]) -> None:
        """Go on from what :meth:`state_dict` returned.

        Raises ``InvalidInput``, and changes nothing, where a name, shape, dtype or count does not fit.
        """
        if state.keys() != self._state.keys():
            raise InvalidInput("replay state", f"of names {sorted(state)}", f"give {sorted(self._state)}")
        for name, mine in self._state.items():
            theirs = state[name]
            if theirs.shape != mine.shape or theirs.dtype != mine.dtype:
                wanted = f"{mine.dtype}{list(mine.shape)}"
                raise InvalidInput(f"replay state {name}", f"{theirs.dtype}{list(theirs.shape)}", f"give {wanted}")
        count = int(state["count"][0])
        if count > self.capacity:
            raise InvalidInput("replay state count", count, f"at most {self.capacity} samples fit")
        held = np.bincount(state["labels"][:count], minlength=self.classes)
        if held.size > self.classes or np.any(held > state["seen"]):
            fix = "a class is out of range or holds more than was seen of it: give another"
            raise InvalidInput("replay state labels", "of another replay", fix)
        for name, mine in self._state.items():
            mine[...] = state[name]

    def _slot(self, label: int) -> int | None:
        """Where the next sample of this class goes, or None to let it pass."""
        if len(self) < self.capacity:
            return len(self)
        held, victim = self.held, label
        if not self._state["full"][label]:
            largest = np.flatnonzero(held == held.max())
            victim = int(largest[self._below(largest.size)])
        elif self._below(int(self._state["seen"][label]) + 1) >= held[label]:
            return None
        slots = np.flatnonzero(self._state["labels"] == victim)
        return int(slots[self._below(slots.size)])

    def _below(self, bound: int) -> int:
        """A random integer in 0..bound-1: splitmix64 (Steele, Lea & Flood, OOPSLA 2014), top 32 bits scaled.

        Eight bytes of state, equal on every machine; the bias is below bound / 2**32.
        """
        word = (int(self._state["random"][0]) + 0x9E3779B97F4A7C15) & _WORD
        self._state["random"][0] = word
        word = ((word ^ (word >> 30)) * 0xBF58476D1CE4E5B9) & _WORD
        word = ((word ^ (word >> 27)) * 0x94D049BB133111EB) & _WORD
        return ((word ^ (word >> 31)) >> 32) * bound >> 32


def _whole(field: str, value: Any) -> int:
    """What counts as an index: an int, numpy's or torch's."""
    try:
        return index(value)
    except TypeError:
        raise InvalidInput(field, value, "give a whole number") from None


def _dtype(given: npt.DTypeLike) -> np.dtype[Any]:
    try:
        return np.dtype(given)
    except TypeError:
        raise InvalidInput("dtype", given, "give one of numpy's, as np.uint8") from None
