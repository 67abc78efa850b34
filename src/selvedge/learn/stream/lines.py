"""JSON lines, out of a file, a pipe or stdin: {"x": [...], "y": "cat", "time": 1700000000.5}."""

from __future__ import annotations

import io
import json
import stat
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from ...artifact.features import Columns, Features
from ...data.table import samples
from ...errors import InvalidInput
from .faults import Faults
from .sample import Face, Sample

LONGEST = 1 << 26  # bytes of a line


def sample(
    line: bytes | str, number: int, face: Face, features: Features | None, arrived: float | None = None
) -> Sample:
    """``x``: numbers, nested or flat; or, of a model of columns, the columns by name, which are scaled as its data was.
    ``y``, ``time`` and ``number`` may be left out: where one who sends numbers its lines, repeats are known.

    arrived: the time of one without its own; None: its number. Raises ``ValueError``, which says what is wrong.
    """
    try:
        given = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"it is no JSON ({error}): give a line as {{'x': [1, 2], 'y': 0}}") from None
    if not isinstance(given, dict) or "x" not in given:
        raise ValueError('it has no x: give {"x": [...]}')
    own = given.get("number", number)
    if not isinstance(own, int) or isinstance(own, bool) or not 0 <= own < 1 << 62:
        raise ValueError(f"number {own!r}: give a whole number >= 0")
    at = given.get("time", own if arrived is None else arrived)
    if not isinstance(at, int | float) or not abs(at) < 1e15:
        raise ValueError(f"time {at!r}: give Unix seconds")
    y = given.get("y") if face.classes else None
    return Sample(own, float(at), _x(given["x"], face, features), None if y is None else face.label(str(y)))


def _x(given: Any, face: Face, features: Features | None) -> np.ndarray:
    if isinstance(given, Mapping):
        if not isinstance(features, Columns) or features.window:
            raise ValueError("x by names is of a model that learnt rows of a table: give a list")
        absent = next((name for name in features.names if name not in given), None)
        if absent is not None:
            raise ValueError(f"x has no {absent}")
        row = _numbers([given[name] for name in features.names])
        if row.ndim != 1:
            raise ValueError("x is no number a name")
        with np.errstate(over="ignore"):
            return np.asarray(samples(row[None].astype(np.float32), features)[0].astype(face.dtype))
    x = _numbers(given)
    if x.shape != face.shape and not (x.ndim == 1 and x.size == np.prod(face.shape)):
        raise ValueError(f"x is {list(x.shape)}: the model takes {list(face.shape)}")
    if face.dtype == np.uint8 and not ((x >= 0) & (x <= 255) & (x == np.round(x))).all():
        raise ValueError("the model takes bytes: give x in 0..255")
    with np.errstate(over="ignore"):
        return np.asarray(x.reshape(face.shape).astype(face.dtype))


def _numbers(given: Any) -> npt.NDArray[np.float64]:
    """Raises ``ValueError``, which says what is wrong."""
    try:
        return np.array(given, np.float64)
    except (TypeError, ValueError):
        raise ValueError("x is no array of numbers") from None
    except OverflowError:  # a whole number of JSON has as many digits as it likes
        raise ValueError("x is more than a float can be") from None


class Lines:
    """Of a path, or "-" for stdin. A regular file is read to its end, a pipe until nobody writes to it any more."""

    def __init__(
        self, path: str, face: Face, features: Features | None = None, *, faults: Faults | None = None
    ) -> None:
        """Raises ``InvalidInput`` for a file that is not there."""
        self.name = "stdin" if path == "-" else path
        self._path, self._face, self._features = path, face, features
        self._faults, self._from = faults or Faults(), 0
        try:
            self.seekable = path != "-" and stat.S_ISREG(Path(path).stat().st_mode)
        except OSError as error:
            raise InvalidInput("stream", path, f"it cannot be read ({error.strerror})") from None

    def seek(self, position: int) -> None:
        self._from = position

    def done(self, number: int) -> None:
        """What came by a pipe does not come again."""

    def close(self) -> None:
        """A pipe that nobody writes to is left to the thread that waits for it."""

    def __iter__(self) -> Iterator[Sample]:
        if self._path == "-":
            # Not sys.stdin: a thread that waits in it would be in the way when the process ends.
            with open(0, "rb", closefd=False) as file:
                yield from self._read(file)
            return
        try:
            with open(self._path, "rb") as file:
                yield from self._read(file)
        except OSError as error:
            raise InvalidInput("stream", self.name, f"it cannot be read ({error.strerror})") from None

    def _read(self, file: BinaryIO | io.BufferedIOBase) -> Iterator[Sample]:
        number = 0 if self.seekable else self._from
        row = 0
        while line := file.readline(LONGEST):
            row += 1
            if not line.strip():
                continue
            at, number = number, number + 1
            try:
                made = sample(line, at, self._face, self._features, None if self.seekable else time.time())
            except (ValueError, TypeError) as error:
                if at >= self._from:  # the others were told before the stream was cut off
                    said = line[:40].decode(errors="replace").strip()
                    self._faults.note(f"{self.name} row {row}", said, str(error))
                continue
            number = max(number, made.number + 1)  # behind the sender's own numbers
            if made.number >= self._from or not self.seekable:  # of a pipe, whoever asked leaves out what was seen
                yield made
