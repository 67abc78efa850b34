"""What loading returns: samples in the model's shape, their targets, and which of them train, validate and test."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from ..artifact.features import Features
from ..artifact.preprocess import Preprocess

PARTS = ("train", "validation", "test")
Array = npt.NDArray[Any]
Indices = npt.NDArray[np.intp]


class Rows(Protocol):
    """Samples that are taken by an array of their numbers: an array, or files decoded when they are asked for."""

    def __len__(self) -> int: ...

    def __getitem__(self, rows: Any, /) -> Any: ...


@dataclass(frozen=True, slots=True)
class Part:
    """Some samples of a data set, in their order. ``x[rows]`` [n, ...]; ``y[rows]`` [n, ...]."""

    samples: Rows
    targets: Array | None
    rows: Indices

    def __len__(self) -> int:
        return len(self.rows)

    def take(self, which: Indices) -> tuple[Array, Array | None]:
        """x and y of the samples numbered ``which`` within this part."""
        rows = self.rows[which]
        return np.asarray(self.samples[rows]), None if self.targets is None else self.targets[rows]


@dataclass(frozen=True, slots=True)
class Dataset:
    """``x``: samples in the model's shape, uint8 where ``preprocess`` makes numbers of bytes, else float32.

    y: int32 class numbers, float32 values, or None. labels: the classes' names. groups: whose each sample is, or None.
    split: part -> sample numbers. preprocess, features: travel with the model. notes: what was done.
    """

    name: str
    kind: str
    x: Rows
    y: Array | None
    labels: tuple[str, ...]
    groups: Array | None
    split: Mapping[str, Indices]
    shape: tuple[int, ...]
    preprocess: Preprocess | None = None
    features: Features | None = None
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.x)

    def part(self, name: str) -> Part:
        """ "train", "validation" or "test"."""
        return Part(self.x, self.y, self.split[name])

    def to_dict(self) -> dict[str, Any]:
        """The figures, for machines."""
        counts: dict[str, Any] = {}
        if self.y is not None and self.labels:
            for part, rows in self.split.items():
                seen = np.bincount(self.y[rows].astype(int).reshape(len(rows), -1)[:, 0], minlength=len(self.labels))
                counts[part] = dict(zip(self.labels, map(int, seen), strict=True)) if self.y.ndim == 1 else None
        return {
            "name": self.name,
            "kind": self.kind,
            "samples": len(self),
            "shape": list(self.shape),
            "labels": list(self.labels),
            "split": {part: len(rows) for part, rows in self.split.items()},
            "samples_by_class": counts,
            "groups": None
            if self.groups is None
            else {part: sorted({str(g) for g in self.groups[rows]}) for part, rows in self.split.items()},
            "preprocess": self.preprocess.to_dict() if self.preprocess else None,
            "notes": list(self.notes),
        }

    def __str__(self) -> str:
        sizes = ", ".join(f"{len(rows)} {part}" for part, rows in self.split.items())
        classes = f", {len(self.labels)} classes" if self.labels else ""
        held = "" if self.groups is None else f", {len(set(self.groups.tolist()))} groups kept apart"
        return f"{self.name}: {len(self)} {self.kind}{classes} as {list(self.shape)}; {sizes}{held}"
