"""What came of comparing an artifact with a reference, and what both are given."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ...artifact.manifest import Manifest

CLOSE = 1e-4  # of a tensor's largest number; a step, of integers


@dataclass(frozen=True, slots=True)
class Difference:
    """At operator, or result, ``index`` of a program: ``op``, and how far apart its result is, of its largest number
    (of integers, in steps)."""

    index: int
    op: str
    apart: float


@dataclass(frozen=True, slots=True)
class Verified:
    """One program. ``operators``: how many were compared. ``largest``: the largest difference. ``first``: the first of
    more than rounding; None where there is none. ``unit``: what was compared. ``note``: what was not, and why."""

    program: str
    operators: int
    largest: Difference
    first: Difference | None
    unit: str = "operator"
    note: str = ""

    def to_dict(self) -> dict[str, Any]:
        """For machines."""

        def told(d: Difference | None) -> dict[str, Any] | None:
            return None if d is None else {"index": d.index, "op": d.op, "apart": d.apart}

        first, largest = told(self.first), told(self.largest)
        made = {"program": self.program, "operators": self.operators, "largest": largest, "first": first}
        return {**made, "unit": self.unit, "note": self.note}

    def __str__(self) -> str:
        d, behind = self.first or self.largest, f" ({self.note})" if self.note else ""
        where = f"{self.unit} {d.index} {d.op}: {d.apart:.1e}"
        if self.first is not None:
            return f"{self.program}: differs first at {where}{behind}"
        said = f"{self.operators} {self.unit}{'' if self.operators == 1 else 's'}"
        agree = "agrees" if self.operators == 1 else "agree"
        return f"{self.program}: {said} {agree}; the largest difference is of {where}{behind}"


def verified(program: str, found: list[Difference], allowed: list[float], unit: str, note: str = "") -> Verified:
    """Of the differences ``found``, in order, each with what is ``allowed`` of it."""
    largest = max(found, key=lambda d: d.apart, default=Difference(0, "", 0.0))
    first = next((d for d, most in zip(found, allowed, strict=True) if not d.apart <= most), None)
    return Verified(program, len(found), largest, first, unit, note)


def drawn(manifest: Manifest, program: str, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Inputs of a program, as they are stored: real numbers, classes, and a small learning rate."""
    made: dict[str, np.ndarray] = {}
    for name, port in manifest.programs[program].inputs.items():
        dtype = np.dtype(port.dtype)
        if name == "lr":
            made[name] = np.array(0.01, dtype)
        elif dtype.kind == "f":
            made[name] = rng.standard_normal(port.shape).astype(dtype)
            if name == "y" and manifest.loss == "BCEWithLogits":
                made[name] = (made[name] > 0).astype(dtype)
            elif name == "y" and manifest.loss == "TorchLoss" and len(port.shape) > 1:
                # Any function of PyTorch's: a divergence has no value but for shares of a whole.
                made[name] = np.exp(made[name]) / np.exp(made[name]).sum(1, keepdims=True)
        elif dtype == np.int8:
            made[name] = rng.integers(-128, 128, port.shape).astype(dtype)
        else:
            made[name] = rng.integers(0, max(1, manifest.classes if name == "y" else 2), port.shape).astype(dtype)
    return made


def apart(got: np.ndarray, want: np.ndarray) -> float:
    """How far, of the largest number of ``want``; of integers, in steps."""
    if got.shape != want.shape:
        return float("inf")
    if got.dtype.kind != "f":
        return float(np.abs(got.astype(np.int64) - want.astype(np.int64)).max(initial=0))
    both = np.isfinite(got) & np.isfinite(want)
    if not np.array_equal(got[~both], want[~both], equal_nan=True):
        return float("inf")
    size, far = np.abs(want[both]).max(initial=0.0), np.abs(got[both] - want[both]).max(initial=0.0)
    return float(far / size) if size else (float("inf") if far else 0.0)
