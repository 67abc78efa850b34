"""Earlier samples in a fixed number of bytes."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ...errors import InvalidInput
from ..draws import WORD
from ..given import fitting, whole
from .beside import FLOAT32, Beside
from .codec import Codec
from .labels import Labels, bits_of
from .named import codec as codec_of
from .packing import packed_size
from .policies import policy as policy_of
from .policy import Held, Policy
from .random import SplitMix64
from .raw import Raw


class Recalled(NamedTuple):
    """Samples out of a memory: x [n, *sample_shape], y int32 [n], and what was kept beside them, float32 [n, ...]."""

    x: npt.NDArray[Any]
    y: npt.NDArray[np.int32]
    beside: npt.NDArray[Any] | None


class Replay:
    """Samples and their labels through a codec, chosen by a policy; by default as they are, balanced over the classes.

    All that it remembers lives in one array of ``bytes`` <= ``capacity_bytes``, allocated once: the random state (8 B),
    the number held (4 B), what the policy remembers, and of each sample its label (a byte where samples are raw, else
    the 1, 2, 4 or 8 bits that tell ``classes`` apart), its ``codec``'s bytes and what is kept beside it.

    capacity_bytes: the bound on all of this. sample_shape, dtype: of one sample, without the batch.
    classes: labels are 0..classes-1, at most 256. seed: of every random choice.
    codec: :class:`Codec`, or "raw", "float16", "int8", "int4", "2bit", "1bit", "half+2bit", ...
    policy: :class:`Policy`, or "balanced", "reservoir", "diverse". beside: as ``logits(10, "int8")``, or nothing.
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
        codec: Codec | str = "raw",
        policy: Policy | str = "balanced",
        beside: Beside | None = None,
    ) -> None:
        kind = _dtype(dtype)
        capacity_bytes, classes = whole("capacity_bytes", capacity_bytes), whole("classes", classes)
        seed = whole("seed", seed)
        if not isinstance(sample_shape, tuple | list):
            raise InvalidInput("sample_shape", sample_shape, "give a tuple, as (1, 28, 28)")
        sample_shape = tuple(whole("sample_shape", n) for n in sample_shape)
        if kind.hasobject or not kind.itemsize or min(sample_shape, default=1) < 1:
            raise InvalidInput("sample", f"{kind}{list(sample_shape)}", "give numbers and sizes of at least 1")
        if not 1 <= classes <= 256:
            raise InvalidInput("classes", classes, "give 1..256: a label is one byte")
        self.classes, self.sample_shape, self.dtype, self.beside = classes, sample_shape, kind, beside
        self.codec, self.policy = codec_of(codec, kind), policy_of(policy)
        raw = self.codec == Raw()
        if not raw and kind.kind not in "iuf":
            raise InvalidInput("dtype", kind, f"codec {self.codec} takes floats and whole numbers")
        each = {name: (shape, np.dtype(of)) for name, (shape, of) in self.policy.each().items()}
        fixed = {name: (shape, np.dtype(of)) for name, (shape, of) in self.policy.fixed(classes).items()}
        if beside is not None:
            if not isinstance(beside, Beside):
                raise InvalidInput("beside", beside, "give what is kept with a sample, as logits(10)")
            each[f"beside {beside.codec}"] = ((beside.bytes,), np.dtype(np.uint8))
        samples = "samples" if raw else f"samples {self.codec}"
        size = self.codec.size(sample_shape, kind)
        each[samples] = (sample_shape, kind) if raw else ((size,), np.dtype(np.uint8))
        self._bits = 8 if raw else bits_of(classes)
        around = 8 + 4 + sum(map(_bytes, fixed.values()))
        item = sum(map(_bytes, each.values()))
        self.capacity = 8 * (capacity_bytes - around) // (8 * item + self._bits)
        if self.capacity < 1:
            fix = f"one sample needs {around + item + 1} B: give as many"
            raise InvalidInput("capacity_bytes", capacity_bytes, fix)
        labels = packed_size(self.capacity, self._bits)
        self._buffer = np.zeros(around + labels + self.capacity * item, np.uint8)
        offset = 0

        def carve(shape: tuple[int, ...], kind: npt.DTypeLike) -> npt.NDArray[Any]:
            nonlocal offset
            view: npt.NDArray[Any] = np.ndarray(shape, kind, self._buffer.data, offset)
            offset += view.nbytes
            return view

        self._state: dict[str, npt.NDArray[Any]] = {
            "random": carve((1,), np.uint64),
            "count": carve((1,), np.uint32),
            **{name: carve(shape, of) for name, (shape, of) in fixed.items()},
            "labels": carve((labels,), np.uint8),
            **{name: carve((self.capacity, *shape), of) for name, (shape, of) in each.items()},
        }
        self._state["random"][0] = seed & WORD
        self._samples = self._buffer[offset - self.capacity * size :].reshape(self.capacity, size)  # they lie last
        self._beside = None if beside is None else self._state[f"beside {beside.codec}"]
        self._random = SplitMix64(self._state["random"])
        self._labels = Labels(self._state["labels"], self._bits)
        self._held = Held(
            self.capacity, classes, self._state["count"], self._labels,
            {name: self._state[name] for name in (*fixed, *self.policy.each())}, self._random,
        )  # fmt: skip

    @property
    def bytes(self) -> int:
        """Bytes of the buffer, exactly; constant from the first day."""
        return self._buffer.nbytes

    @property
    def held(self) -> npt.NDArray[np.intp]:
        """Samples held of each class, [classes]."""
        return self._held.of_each()

    def __len__(self) -> int:
        return len(self._held)

    def add(self, x: npt.ArrayLike, label: int, beside: npt.ArrayLike | None = None) -> None:
        """Offer one sample (``sample_shape``, ``dtype``) with its label; the policy may let it pass.

        beside: what is kept with it, float32 of the announced shape; given exactly where it was announced.
        Raises ``InvalidInput`` for a wrong shape, dtype or label, before anything changes.
        """
        try:
            sample = np.asarray(x)
        except (TypeError, ValueError, RuntimeError) as error:
            raise InvalidInput("sample", f"no array ({error})", f"give {self.dtype}{list(self.sample_shape)}") from None
        if sample.shape != self.sample_shape or sample.dtype != self.dtype:
            wanted = f"{self.dtype}{list(self.sample_shape)}"
            raise InvalidInput("sample", f"{sample.dtype}{list(sample.shape)}", f"give {wanted}")
        label = whole("label", label)
        if not 0 <= label < self.classes:
            raise InvalidInput("label", label, f"give 0..{self.classes - 1}")
        extra = self._extra(beside)
        slot = self.policy.slot(self._held, sample, label)
        if slot is None:
            return
        self._samples[slot] = self.codec.encode(sample[None])[0]
        self._labels.write(slot, label)
        if self._beside is not None and self.beside is not None and extra is not None:
            self._beside[slot] = self.beside.codec.encode(extra[None])[0]
        new = slot == len(self)
        self._state["count"][0] = max(len(self), slot + 1)
        self.policy.written(self._held, slot, sample, new)

    def sample(self, n: int) -> tuple[npt.NDArray[Any], npt.NDArray[np.int32]]:
        """``n`` different samples, drawn uniformly: x [n, *sample_shape], y int32 [n].

        Raises ``InvalidInput`` unless 0 <= n <= ``len(self)``.
        """
        found = self.recall(n)
        return found.x, found.y

    def recall(self, n: int) -> Recalled:
        """The same draw as :meth:`sample`'s, with what was kept beside the samples."""
        n = whole("n", n)
        if not 0 <= n <= len(self):
            raise InvalidInput("n", n, f"{len(self)} samples are held")
        picks = np.arange(len(self))
        for i in range(n):
            j = i + self._random.below(len(self) - i)
            picks[i], picks[j] = picks[j], picks[i]
        chosen = picks[:n]
        extra = None
        if self._beside is not None and self.beside is not None:
            extra = self.beside.codec.decode(self._beside[chosen], self.beside.shape, FLOAT32)
        labels = self._labels.first(len(self))[chosen].astype(np.int32)
        return Recalled(self.codec.decode(self._samples[chosen], self.sample_shape, self.dtype), labels, extra)

    def all(self) -> tuple[npt.NDArray[Any], npt.NDArray[np.int32]]:
        """Every sample held, and its label: x [len(self), *sample_shape], y int32 [len(self)]; copies."""
        count = len(self)
        labels = self._labels.first(count).astype(np.int32)
        return self.codec.decode(self._samples[:count].copy(), self.sample_shape, self.dtype), labels

    def state_dict(self) -> dict[str, npt.NDArray[Any]]:
        """Copies of everything remembered, by name: a replay that loads them goes on as this one would."""
        return {name: array.copy() for name, array in self._state.items()}

    def load_state_dict(self, state: Mapping[str, npt.NDArray[Any]]) -> None:
        """Go on from what :meth:`state_dict` returned.

        Raises ``InvalidInput``, and changes nothing, where a name (which tells the codec), shape, dtype or count
        does not fit.
        """
        fitting("replay state", self._state, state)
        count = int(state["count"][0])
        if count > self.capacity:
            raise InvalidInput("replay state count", count, f"at most {self.capacity} samples fit")
        of_each = np.bincount(Labels(state["labels"], self._bits).first(count), minlength=self.classes)
        fault = "a class is out of range" if of_each.size > self.classes else self.policy.fault(state, of_each)
        if fault:
            raise InvalidInput("replay state labels", "of another replay", f"{fault}: give another")
        for name, mine in self._state.items():
            mine[...] = state[name]

    def _extra(self, given: npt.ArrayLike | None) -> npt.NDArray[np.float32] | None:
        if (given is None) != (self.beside is None):
            fix = "announce it: beside=" if self.beside is None else f"give float32{list(self.beside.shape)}"
            raise InvalidInput("beside", "nothing" if given is None else "given", fix)
        if self.beside is None:
            return None
        extra = np.asarray(given)
        if extra.shape != self.beside.shape or extra.dtype != FLOAT32:
            fix = f"give float32{list(self.beside.shape)}"
            raise InvalidInput("beside", f"{extra.dtype}{list(extra.shape)}", fix)
        return extra


def _bytes(array: tuple[tuple[int, ...], np.dtype[Any]]) -> int:
    return prod(array[0]) * array[1].itemsize


def _dtype(given: npt.DTypeLike) -> np.dtype[Any]:
    try:
        return np.dtype(given)
    except TypeError:
        raise InvalidInput("dtype", given, "give one of numpy's, as np.uint8") from None
