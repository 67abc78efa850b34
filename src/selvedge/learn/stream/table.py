"""Rows of a CSV file as samples, or windows of rows; what is missing is left out, held or filled with a mean."""

from __future__ import annotations

import csv
import math
from collections import deque
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from ...artifact.features import Columns
from ...data.rows import CLOCKS, DELIMITERS, LABELS, LARGEST
from ...data.table import described, samples
from ...errors import InvalidInput
from .faults import Faults
from .sample import Face, Sample

MISSING = ("", "na", "n/a", "nan", "null", "none", "?")
POLICIES = ("skip", "hold", "mean")


class Table:
    """A sample a row, or every ``hop`` rows the window of the last ones; its number is that of its last row.

    names: the columns to learn from; by default those of ``features``, else all but the label and the clock. label:
    the column of the class, "" for none; clock: of the time, Unix seconds or ISO 8601 (without a zone: UTC). missing:
    "skip" the row, "hold" the column's last value, or the "mean" of its last ``over`` values. A row whose class is
    missing is a sample without one; a window has the class of its last row.
    """

    seekable = True

    def __init__(
        self, path: Path | str, face: Face, features: Columns | None = None, *, names: tuple[str, ...] = (),
        label: str | None = None, clock: str | None = None, missing: str = "skip", over: int = 20,
        faults: Faults | None = None,
    ) -> None:  # fmt: skip
        """Raises ``InvalidInput`` for a file without a line of names, and for columns that it does not have or that
        the model does not take."""
        if missing not in POLICIES:
            raise InvalidInput("stream missing", missing, f"give one of {', '.join(POLICIES)}")
        if over < 1:
            raise InvalidInput("stream over", over, "give a number of rows >= 1")
        path = Path(path)
        self.name, self._path, self._face = str(path), path, face
        self._missing, self._over, self._faults, self._from = missing, over, faults or Faults(), 0
        header, self._delimiter = self._header()
        self._width = len(header)
        self._label = self._column(header, "label", label, LABELS)
        self._clock = self._column(header, "time", clock, tuple(c for c in CLOCKS if c not in ("id", "index", "")))
        kept = {header[i] for i in (self._label, self._clock) if i is not None}
        chosen = names or (features.names if features else tuple(h for h in header if h not in kept | set(CLOCKS)))
        if features and len(chosen) != len(features.names):
            fix = f"the model learnt from {', '.join(features.names)}: give one in the place of each"
            raise InvalidInput("stream columns", "+".join(chosen), fix)
        self._at = [_index(path, header, "columns", name) for name in chosen]
        self._header_names = header
        self._columns = features or described(face.shape, tuple(chosen), 0, 1)

    def seek(self, position: int) -> None:
        self._from = position

    def done(self, number: int) -> None:
        """It is a file: it can be read again."""

    def close(self) -> None:
        """It is open only while it is read."""

    def __iter__(self) -> Iterator[Sample]:
        """What lies before the position is read, since it may be held, but not told again."""
        columns = self._columns
        length = max(1, columns.window)
        rows: deque[list[float]] = deque(maxlen=length)
        seen: list[deque[float]] = [deque(maxlen=self._over if self._missing == "mean" else 1) for _ in self._at]
        filled = 0
        try:
            with self._path.open(newline="", encoding="utf-8-sig", errors="replace") as file:
                lines = csv.reader(file, delimiter=self._delimiter)
                next(lines, None)
                for number, row in enumerate(line for line in lines if line):
                    values = self._values(number, row, seen)
                    if values is None:
                        continue
                    rows.append(values)
                    filled += 1
                    if len(rows) < length or (filled - length) % columns.hop or number < self._from:
                        continue
                    label, time = self._told(number, row)
                    x = samples(np.array(rows, np.float32), columns)[0].astype(self._face.dtype)
                    yield Sample(number, time, x, label)
        except (OSError, csv.Error) as error:
            raise InvalidInput("stream", self.name, f"it cannot be read as CSV ({error})") from None

    def _values(self, number: int, row: list[str], seen: list[deque[float]]) -> list[float] | None:
        """The row's numbers; None where it is left out."""
        if len(row) != self._width:
            self._fault(number, "", f"{len(row)} cells", f"the first row has {self._width}: mend the row")
            return None
        found: list[float] = []
        for i, past in zip(self._at, seen, strict=True):
            text = row[i].strip()
            if text.lower() in MISSING:
                if self._missing == "skip" or not past:
                    self._faults.missing += number >= self._from
                    return None
                found.append(sum(past) / len(past))
                continue
            try:
                value = float(text)
            except ValueError:
                value = math.nan
            if not abs(value) <= LARGEST:
                self._fault(number, self._header_names[i], text, "a finite number is needed: mend the row")
                return None
            found.append(value)
        for past, i, value in zip(seen, self._at, found, strict=True):
            if row[i].strip().lower() not in MISSING:
                past.append(value)
        return found

    def _told(self, number: int, row: list[str]) -> tuple[int | None, float]:
        """Class and time of a row."""
        label: int | None = None
        text = "" if self._label is None else row[self._label].strip()
        if text and self._label is not None and self._face.classes:
            try:
                label = self._face.label(text)
            except ValueError as error:
                self._fault(number, self._header_names[self._label], text, str(error), "used without its class")
        return label, float(number) if self._clock is None else self._time(number, row[self._clock].strip())

    def _time(self, number: int, text: str) -> float:
        try:
            return float(text)
        except ValueError:
            pass
        try:
            made = datetime.fromisoformat(text)
        except ValueError:
            assert self._clock is not None
            fix = "give Unix seconds or ISO 8601"
            self._fault(number, self._header_names[self._clock], text or "empty", fix, "used without its time")
            return float(number)
        return (made if made.tzinfo else made.replace(tzinfo=UTC)).timestamp()

    def _fault(self, number: int, column: str, value: str, fix: str, what: str = "left out") -> None:
        if number >= self._from:  # the others were told before the stream was cut off
            where = f"{self._path} row {number + 2}" + (f" column {column}" if column else "")
            self._faults.note(where, value, fix, what)

    def _header(self) -> tuple[list[str], str]:
        try:
            with self._path.open(newline="", encoding="utf-8-sig", errors="replace") as file:
                first = file.readline()
                file.seek(0)
                delimiter = max(DELIMITERS, key=first.count)
                header = [cell.strip() for cell in next(csv.reader(file, delimiter=delimiter), [])]
        except (OSError, csv.Error) as error:
            raise InvalidInput("stream", self.name, f"it cannot be read as CSV ({error})") from None
        if not header or all(_is_number(cell) for cell in header) or len(set(header)) < len(header):
            fix = "its first row must name every column, each otherwise, as a,b,label"
            raise InvalidInput("stream", self.name, fix)
        return header, delimiter

    def _column(self, header: list[str], option: str, given: str | None, usual: tuple[str, ...]) -> int | None:
        if given == "":
            return None
        if given is not None:
            return _index(self._path, header, option, given)
        return next((i for name in usual for i, h in enumerate(header) if h.lower() == name), None)


def _index(path: Path, header: list[str], option: str, name: str) -> int:
    if name not in header:
        raise InvalidInput(f"stream {option}", name, f"{path.name} has {', '.join(header)}")
    return header.index(name)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
