"""A sample of a stream, and what gives them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, slots=True)
class Sample:
    """``number``: its place in the stream: they rise, and may leave some out. ``time``: Unix seconds; the number, of a
    stream without times. ``x``: as the model takes one, without the batch axis. ``y``: its class; None: not known."""

    number: int
    time: float
    x: npt.NDArray[Any]
    y: int | None = None


class Source(Protocol):
    """Gives samples in order; blocks where the next has not come yet.

    ``seekable``: whether :meth:`seek` finds the same samples again; else what comes next is numbered from there on.
    """

    name: str
    seekable: bool

    def seek(self, position: int) -> None:
        """Begin with the first sample whose number is ``position`` or above. Before the first is asked for."""

    def __iter__(self) -> Iterator[Sample]: ...

    def done(self, number: int) -> None:
        """The sample of this number is safe: it need not be given again."""

    def close(self) -> None:
        """Let go of what it holds; a wait for the next sample ends."""


@dataclass(frozen=True, slots=True)
class Face:
    """What a learner takes: ``shape`` and ``dtype`` of a sample, and the names of its classes, by number. ``classes``:
    how many it has; of 0, it needs none, and what a stream says of them is not read."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    labels: tuple[str, ...] = ()
    classes: int = 0

    def label(self, text: str) -> int:
        """The class that ``text`` names, or numbers. Raises ``ValueError``, which says what is known."""
        if text in self.labels:
            return self.labels.index(text)
        try:
            number = float(text)
        except ValueError:
            number = -1.0
        if not (0 <= number < self.classes and number.is_integer()):
            names = f"one of {', '.join(self.labels)}, or " if self.labels else ""
            raise ValueError(f"give {names}a class, 0..{self.classes - 1}")
        return int(number)
