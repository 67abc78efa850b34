"""Detectors of drift, each fed with what it watches."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from ..errors import InvalidInput

Array = npt.NDArray[Any]
WATCHED = ("error", "loss", "confidence", "input")


class Detector(Protocol):
    """Fed with a number a sample."""

    @property
    def drift(self) -> bool: ...

    @property
    def bytes(self) -> int: ...

    def update(self, value: float, /) -> None: ...

    def state_dict(self) -> dict[str, Array]: ...

    def load_state_dict(self, state: dict[str, Array], /) -> None: ...


class Watch:
    """``detectors`` by what they watch: "error" (0 or 1; or the loss), "loss", "confidence", "input" (its mean)."""

    def __init__(self, detectors: Mapping[str, Detector]) -> None:
        """Raises ``InvalidInput`` for anything else to be watched."""
        self.detectors = dict(detectors)
        for name in self.detectors:
            if name not in WATCHED:
                raise InvalidInput("detectors", name, f"give some of {', '.join(WATCHED)}")

    @property
    def bytes(self) -> int:
        return sum(detector.bytes for detector in self.detectors.values())

    def look(self, x: Array, outputs: Array, losses: Array, errors: Array) -> Iterator[str]:
        """The names of those to which these samples [n, ...] are a drift, as often as they are."""
        for name, detector in self.detectors.items():
            for value in self._values(name, x, outputs, losses, errors):
                detector.update(float(value))
                if detector.drift:
                    yield name

    def _values(self, name: str, x: Array, outputs: Array, losses: Array, errors: Array) -> Array:
        if name == "confidence":
            top = np.exp(outputs - outputs.max(1, keepdims=True))
            return np.asarray(top.max(1) / top.sum(1))
        if name == "input":
            return np.asarray(x.reshape(len(x), -1).mean(1, dtype=np.float64))
        return losses if name == "loss" else errors
