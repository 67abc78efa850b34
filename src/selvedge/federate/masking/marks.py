"""The round keys that a run has seen: one that comes back would stop all of its group, whose members know it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

MOST = 1 << 18  # keys, the latest ones; a member remembers 4,096
SIZE = 8  # bytes of a mark


class Marks(dict[bytes, int]):
    """Mark (:func:`.checks.mark`) -> the task that it was of."""

    def add(self, marks: Iterable[bytes], task: int) -> None:
        for mark in sorted(marks):
            self.setdefault(mark, task)
        for old in list(self)[: max(0, len(self) - MOST)]:
            del self[old]

    def state(self) -> dict[str, npt.NDArray[Any]]:
        return {
            "marks": np.frombuffer(b"".join(self), np.uint8).reshape(-1, SIZE),
            "tasks": np.array(list(self.values()), np.int64),
        }

    @classmethod
    def of(cls, arrays: Mapping[str, npt.NDArray[Any]]) -> Marks:
        if not arrays:
            return cls()
        return cls(zip((row.tobytes() for row in arrays["marks"]), arrays["tasks"].tolist(), strict=True))
