"""Recordings of vibration out of files: MATLAB (as Case Western Reserve's bearing data) and CSV."""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ...errors import InvalidInput, NotSupported

HEALTHY = ("normal", "healthy", "baseline")
_HEALTHY = re.compile(rf"(?<![a-z])({'|'.join(HEALTHY)})")  # not "abnormal" nor "unhealthy"
FEWEST = 1024  # samples of a recording
ENDINGS = (".mat", ".csv")


@dataclass(frozen=True, slots=True)
class Recording:
    """One axis of acceleration, float64 [samples]. ``healthy``: by its name or its folder's, as in ``Normal_0.mat``."""

    name: str
    samples: npt.NDArray[np.float64]
    healthy: bool


def directory(path: Path) -> list[Recording]:
    """Every ``.mat`` and ``.csv`` below ``path``, by name.

    What has "normal", "healthy" or "baseline" in its name, or in that of a folder below ``path``, is healthy, if no
    letter stands before it (as in "abnormal"); the rest is not. Raises ``InvalidInput`` for a directory without either
    kind, and for the first file that is no good.
    """
    if not path.is_dir():
        raise InvalidInput("recordings", str(path), "give a directory of .mat or .csv files")
    found = []
    for file in sorted(f for f in path.rglob("*") if f.suffix.lower() in ENDINGS and f.is_file()):
        name = file.relative_to(path).as_posix()
        found.append(Recording(name, read(file), _HEALTHY.search(name.lower()) is not None))
    for kind, fix in ((True, f"one with {', '.join(HEALTHY)} in its name"), (False, "one of a faulty machine")):
        if not any(r.healthy is kind for r in found):
            raise InvalidInput("recordings", str(path), f"there is none of them: give {fix}")
    return found


def read(file: Path) -> npt.NDArray[np.float64]:
    """The samples of one file, float64 [samples].

    ``.mat``: the drive end's accelerometer (``*_DE_time``) where there is one, else the longest array of numbers.
    ``.csv``: the last column that begins with a number, a heading above it or not; with ";" or tabs between columns a
    number may have a decimal comma. Raises ``InvalidInput`` for a file
    that is damaged, has no 1,024 samples or one that is not finite; ``NotSupported`` for a ``.mat`` without scipy.
    """
    samples = _mat(file) if file.suffix.lower() == ".mat" else _csv(file)
    if samples.size < FEWEST:
        raise InvalidInput("recording", str(file), f"it has {samples.size} samples: give {FEWEST} or more")
    if not np.isfinite(samples).all():
        at = int(np.flatnonzero(~np.isfinite(samples))[0])
        raise InvalidInput("recording", str(file), f"sample {at} is not finite: cut it out")
    return samples


def _mat(file: Path) -> npt.NDArray[np.float64]:
    try:
        loadmat = import_module("scipy.io").loadmat
    except ModuleNotFoundError:
        raise NotSupported("a .mat file", str(file), "pip install scipy, or give it as .csv") from None
    try:
        held = loadmat(file)
    except Exception as error:  # scipy raises anything at all for a damaged file
        raise InvalidInput("recording", str(file), f"it is no MATLAB file of version 5 ({error})") from None
    arrays = {k: np.asarray(v) for k, v in held.items() if not k.startswith("__")}
    real = {k: v for k, v in arrays.items() if v.dtype.kind in "iuf" and v.size == max(v.shape, default=0)}
    if not real:
        raise InvalidInput("recording", str(file), "it holds no row or column of numbers")
    drive = [k for k in real if k.endswith("DE_time")]
    chosen = drive[0] if drive else max(sorted(real), key=lambda k: real[k].size)
    return real[chosen].astype(np.float64).reshape(-1)


def _csv(file: Path) -> npt.NDArray[np.float64]:
    try:
        lines = [line for line in file.read_text("utf-8-sig").splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput("recording", str(file), f"it cannot be read as text ({error})") from None
    between = next((c for c in ";\t" if lines and c in lines[-1]), ",")
    rows = list(csv.reader(lines, delimiter=between))
    if between != ",":
        rows = [[cell.replace(",", ".") for cell in row] for row in rows]
    if rows and not any(_is_number(cell) for cell in rows[0]):
        rows = rows[1:]
    if not rows:
        raise InvalidInput("recording", str(file), "it is empty")
    column = next((c for c in reversed(range(len(rows[0]))) if _is_number(rows[0][c])), None)
    if column is None:
        raise InvalidInput("recording", str(file), "its first row of data has no number")
    return np.array([_cell(file, number, row, column) for number, row in enumerate(rows, 1)], np.float64)


def _cell(file: Path, number: int, row: Sequence[str], column: int) -> float:
    if column >= len(row) or not _is_number(row[column]):
        text = row[column].strip() if column < len(row) else "missing"
        raise InvalidInput("recording", str(file), f"column {column + 1} of data row {number} is {text or 'empty'}")
    return float(row[column])


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
