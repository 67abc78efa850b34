"""The work of ``selvedge predict``. No torch: this runs where the device wing does."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..data.inputs import read
from ..errors import InvalidInput
from ..learn.metrics import predictions, probabilities
from ..run.artifact import load
from ..run.foreign.cut import FROZEN
from .progress import working

SHOWN = 8  # values of an output without classes


@dataclass(frozen=True, slots=True)
class Prediction:
    """Of sample ``number`` of ``source``. ``classes``: (label, probability), the most probable first; empty for a
    model of values, which are in ``output``."""

    source: str
    number: int | None
    classes: tuple[tuple[str, float], ...]
    output: tuple[float, ...]

    def to_dict(self) -> dict[str, Any]:
        """The figures, for machines."""
        about: dict[str, Any] = {"input": self.source, "sample": self.number}
        if not self.classes:
            return {**about, "output": list(self.output)}
        label, probability = self.classes[0]
        return {**about, "label": label, "probability": probability, "probabilities": dict(self.classes)}


def predict(artifact: Path, inputs: Sequence[Path], top: int) -> list[Prediction]:
    """Raises ``SelvedgeError`` before anything is predicted where an input cannot be read."""
    if top < 1:
        raise InvalidInput("--top", top, "give a whole number >= 1")
    if not os.path.isfile(artifact / "manifest.json"):  # False for a name that no file system has
        cut = os.path.isfile(artifact / FROZEN / "manifest.json")
        fix = "it is a plan that was cut: sv.load_cut runs it in Python"
        none = "it holds no manifest.json: name a folder that train has written"
        raise InvalidInput("artifact", str(artifact), fix if cut else none)
    with working("loading") as work:
        session = load(artifact)
        manifest = session.manifest
        samples = [read(path, manifest.features, manifest.sample_shape) for path in inputs]
        work.part("predicting", len(inputs))
        found = []
        for path, x in zip(inputs, samples, strict=True):
            output = predictions(session, x)
            found += _told(str(path), output, probabilities(manifest.loss, output), manifest.labels, top)
            work.at(len(found))
    return found


def table(found: Sequence[Prediction]) -> str:
    """A line a sample: where it is from, then labels with their probabilities, or values."""
    names = [f.source + ("" if f.number is None else f"[{f.number}]") for f in found]
    width = max(map(len, names))
    lines = []
    for name, f in zip(names, found, strict=True):
        said = "  ".join(f"{label} {p:.1%}" for label, p in f.classes)
        if not f.classes:
            more = f" ... ({len(f.output)} in all)" if len(f.output) > SHOWN else ""
            said = " ".join(f"{v:.5g}" for v in f.output[:SHOWN]) + more
        lines.append(f"{name:<{width}}  {said}")
    return "\n".join(lines)


def _told(
    source: str, output: np.ndarray, shares: np.ndarray | None, labels: Sequence[str], top: int
) -> list[Prediction]:
    made = []
    for i in range(len(output)):
        number = i if len(output) > 1 else None
        values = tuple(map(float, output[i].ravel()))
        if shares is None or shares.ndim != 2:
            made.append(Prediction(source, number, (), values))
            continue
        p = shares[i]
        if len(p) == 1 and len(labels) == 2:  # one logit tells two classes apart
            p = np.array([1 - p[0], p[0]])
        order = np.argsort(-p, kind="stable")[:top]
        named = tuple((labels[k] if k < len(labels) else str(k), float(p[k])) for k in order)
        made.append(Prediction(source, number, named, values))
    return made
