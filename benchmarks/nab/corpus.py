"""NAB's 58 series with their labelled windows, and the row scores of detectors that others have published."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.auto.sources import FOLDER
from benchmarks.packed import read
from selvedge.learn.anomaly.nab import Judged, judge

# The standard-profile totals of results/final_results.json, and what we call them.
PUBLISHED = {
    "windowedGaussian": ("windowed Gaussian", 39.65),
    "relativeEntropy": ("relative entropy", 54.64),
    "knncad": ("KNN-CAD", 57.99),
    "contextOSE": ("CAD-OSE", 69.90),
    "numenta": ("Numenta HTM", 70.10),
}


@dataclass(frozen=True, slots=True)
class Series:
    """``name``: GROUP/FILE.csv; times (s) and values float64 [rows]; windows by first and last row."""

    name: str
    times: npt.NDArray[np.float64]
    values: npt.NDArray[np.float64]
    windows: tuple[tuple[int, int], ...]
    judged: Judged

    @property
    def group(self) -> str:
        return self.name.partition("/")[0]


def folder() -> Path:
    return FOLDER / "nab"


def absent() -> Path | None:
    """The archive that is not there, if one is not."""
    files = (folder() / "nab_data_labels_results.tar.xz", folder() / "nab_row_scores.tar.xz")
    return next((file for file in files if not file.is_file()), None)


@cache
def corpus() -> tuple[Series, ...]:
    """All series by name. A window begins and ends at the first row of its time, as in NAB's own scorer."""
    labels: dict[str, list[tuple[str, str]]] = {}
    data: dict[str, str] = {}
    with tarfile.open(folder() / "nab_data_labels_results.tar.xz") as archive:
        for member in archive:
            if member.name == "labels/combined_windows.json":
                labels = json.loads(read(archive, member).decode())
            elif member.name.startswith("data/") and member.name.endswith(".csv"):
                data[member.name.removeprefix("data/")] = read(archive, member).decode()
    return tuple(_series(name, data[name], labels[name]) for name in sorted(labels))


@cache
def published(detector: str) -> tuple[npt.NDArray[np.float64], ...]:
    """The row scores of one of ``PUBLISHED``, a series each, in the order of :func:`corpus`."""
    found: dict[str, npt.NDArray[np.float64]] = {}
    with tarfile.open(folder() / "nab_row_scores.tar.xz") as archive:
        for member in archive:
            parts = member.name.removeprefix("./").split("/")
            if parts[0] == detector and len(parts) == 3:
                name = f"{parts[1]}/{parts[2].removeprefix(detector + '_')}"
                column = [line.split(",")[2] for line in read(archive, member).decode().splitlines()[1:]]
                found[name] = np.array(column, np.float64)
    return tuple(found[series.name] for series in corpus())


def _series(name: str, text: str, labels: list[tuple[str, str]]) -> Series:
    rows = [line.split(",") for line in text.splitlines()[1:]]
    row: Mapping[str, Any] = {time: i for i, (time, _) in reversed(list(enumerate(rows)))}
    windows = tuple((row[first[:19]], row[last[:19]]) for first, last in labels)
    times = np.array([datetime.fromisoformat(time).replace(tzinfo=UTC).timestamp() for time, _ in rows])
    return Series(name, times, np.array([value for _, value in rows], np.float64), windows, judge(len(rows), windows))
