"""A session: one compiled model in one arena, learning. No torch, no graph."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from ..artifact.arrays import finite
from ..artifact.manifest import Manifest
from ..errors import InvalidInput
from .calls import Calls
from .learning import Learning, require_steps


class Session(Learning, Calls):
    """Predicts and learns in ``manifest.arena_bytes`` bytes: native code. The rest is a :class:`Learning`.

    >>> # session.step(x, y)            one update, returns the loss
    >>> # session.predict(x)            the model's output, [N, ...]
    """

    def __init__(
        self,
        manifest: Manifest,
        library: Path,
        weights: bytes | np.ndarray,
        extra: Mapping[str, np.ndarray] | None = None,
        storage: str | Path | None = None,
    ) -> None:
        """storage: for a plan that pages, the file that it pages out to; by default one without a name."""
        Calls.__init__(self, manifest, library, weights, storage)
        self._begin(extra)

    def persistent(self) -> bytes:
        """What was learnt, as it lies in the first NAME_PERSISTENT_BYTES of the arena, here as on a microcontroller."""
        with self._lock:
            return self._arena[: self.manifest.persistent_bytes].tobytes()

    def load_persistent(self, data: bytes, steps: int | None = None) -> None:
        """Go on from what :meth:`persistent` returned, or from the bytes that a board has kept; all or none.

        steps: the place in the schedule, by default the present one. Raises :class:`InvalidInput` for another number
        of bytes, and for a parameter or an optimiser's array that is not finite.
        """
        if not isinstance(data, bytes | bytearray | memoryview):
            raise InvalidInput("persistent", f"of type {type(data).__name__}", "give bytes")
        if steps is not None:
            require_steps(steps)
        given, size = np.frombuffer(bytes(data), np.uint8), self.manifest.persistent_bytes
        if given.size != size:
            raise InvalidInput("persistent", f"{given.size} bytes", f"this plan keeps {size}: give those of this model")
        for name, entry in self.manifest.state.items():
            if entry.region == "state":
                array = given[entry.offset : entry.offset + entry.bytes].view(entry.dtype)
                finite(f"persistent {name}", array, array.dtype)
        with self._lock, self._alone():
            self._arena[:size] = given
            self._library.restored()
            self._steps = self._steps if steps is None else steps

    def fingerprint(self) -> str:
        """SHA-256 of the weights that this session began with and of the digest of its plan."""
        return hashlib.sha256(self.manifest.digest.encode() + self._weights.tobytes()).hexdigest()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.manifest.name}: {self.arena_bytes:,} B of arena, {self._steps} steps>"

    @property
    def arena_bytes(self) -> int:
        """Bytes of the arena this session lives in."""
        return self.manifest.arena_bytes
