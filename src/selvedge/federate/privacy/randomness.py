"""Where lots come from: the system's secrets, or a secret of one's own, so that the same is drawn after a crash."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

Source: TypeAlias = Callable[[int], bytes]  # so many bytes that nobody can foretell
SECRET = 32  # bytes
system: Source = secrets.token_bytes


def derived(secret: bytes, *labels: object) -> bytes:
    """A secret of its own for what ``labels`` name: SHAKE-256 of the two, so that none tells of another."""
    return hashlib.shake_256(secret + repr(labels).encode()).digest(SECRET)


class Keystream:
    """SHAKE-256 of ``secret`` and a counter. Who does not have the secret cannot tell it from the system's."""

    def __init__(self, secret: bytes) -> None:
        self._secret, self._count = secret, 0

    def __call__(self, count: int) -> bytes:
        self._count += 1
        return hashlib.shake_256(self._secret + self._count.to_bytes(8, "little")).digest(count)


class Words:
    """Whole numbers out of ``source``, each exactly as likely as every other."""

    def __init__(self, source: Source) -> None:
        self._source = source

    def below(self, bound: int, count: int) -> npt.NDArray[np.int64]:
        """int64 [count] of 0..bound-1, 1 <= bound <= 2**63: as many bits as it takes, and again where they are more."""
        bits = (bound - 1).bit_length()
        if not bits:
            return np.zeros(count, np.int64)
        made = self._words(count, bits)
        beyond = np.flatnonzero(made >= bound)
        while len(beyond):
            made[beyond] = self._words(len(beyond), bits)
            beyond = beyond[made[beyond] >= bound]
        return made

    def _words(self, count: int, bits: int) -> npt.NDArray[np.int64]:
        kind = np.uint32 if bits <= 32 else np.uint64
        size = np.dtype(kind).itemsize
        words: npt.NDArray[Any] = np.frombuffer(self._source(size * count), np.dtype(kind).newbyteorder("<"))
        return np.asarray(words >> kind(8 * size - bits), np.int64)
