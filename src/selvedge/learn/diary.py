"""What was learnt, refused and taken back, and why: a log of so many bytes that a person can read."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import InvalidInput


@dataclass(frozen=True, slots=True)
class Entry:
    """``sample``: the number of samples learnt from until then. ``kind``: one word, as "committed". ``why``: a line."""

    sample: int
    kind: str
    why: str

    def __str__(self) -> str:
        return f"sample {self.sample:,}: {self.kind}: {self.why}"

    def line(self) -> str:
        return json.dumps([self.sample, self.kind, self.why], separators=(",", ":"), ensure_ascii=False)


class Diary:
    """The last entries that fit into ``limit`` bytes, as lines of JSON; and how many there were of each kind."""

    def __init__(self, limit: int = 4096) -> None:
        """Raises ``InvalidInput`` for less than 256 B."""
        if limit < 256:
            raise InvalidInput("diary bytes", limit, "give 256 or more")
        self.limit = limit
        self.counts: dict[str, int] = {}
        self._lines: deque[bytes] = deque()
        self._bytes = 0

    def write(self, sample: int, kind: str, why: str) -> None:
        """Enter it; the oldest entries make room. A line that alone is too long loses the end of its ``why``."""
        line = Entry(sample, kind, why).line().encode()
        while len(line) > self.limit:
            why = why[: len(why) * self.limit // (len(line) + 1)]
            line = Entry(sample, kind, why).line().encode()
        self._lines.append(line)
        self._bytes += len(line)
        while self._bytes > self.limit:
            self._bytes -= len(self._lines.popleft())
        self.counts[kind] = self.counts.get(kind, 0) + 1

    def __iter__(self) -> Iterator[Entry]:
        """Oldest first."""
        return (Entry(*json.loads(line)) for line in list(self._lines))

    def __len__(self) -> int:
        return len(self._lines)

    @property
    def bytes(self) -> int:
        """What its entries may take."""
        return self.limit

    def state_dict(self) -> dict[str, npt.NDArray[Any]]:
        told = json.dumps({"counts": self.counts, "lines": [line.decode() for line in self._lines]})
        return {"text": np.frombuffer(told.encode(), np.uint8)}

    def load_state_dict(self, state: dict[str, npt.NDArray[Any]]) -> None:
        """Raises ``InvalidInput``, and changes nothing, for anything but what :meth:`state_dict` gives."""
        try:
            told = json.loads(state["text"].tobytes())
            lines = [str(line).encode() for line in told["lines"]]
            for line in lines:
                Entry(*json.loads(line))
            counts = {str(k): int(n) for k, n in told["counts"].items()}
        except (KeyError, TypeError, ValueError, AttributeError):
            raise InvalidInput("diary", "of another kind", "give what state_dict() gave") from None
        self._lines, self.counts = deque(lines), counts
        self._bytes = sum(map(len, lines))
