"""What a learner tells of itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy.typing as npt


@dataclass(frozen=True, slots=True)
class Bytes:
    """What a learner takes, part by part: in ``ram``, and in ``flash`` (only read)."""

    ram: Mapping[str, int]
    flash: Mapping[str, int]

    @property
    def total(self) -> int:
        """In RAM."""
        return sum(self.ram.values())


@dataclass(frozen=True, slots=True)
class Prediction:
    """``output``: the model's, of one sample. ``ticket``: under which its label may come later; None: not kept."""

    output: npt.NDArray[Any]
    ticket: int | None = None

    @property
    def label(self) -> int:
        """The class of the largest logit."""
        return int(self.output.argmax())


@dataclass(slots=True)
class Tally:
    """``seen``: samples learnt from. ``merit``: the sum of what the predicting weights were worth on them before: how
    many were right, or minus the losses. ``refused``: samples that are not finite. ``late``: labels that came after
    their sample was gone."""

    seen: int = 0
    merit: float = 0.0
    steps: int = 0
    rounds: int = 0
    commits: int = 0
    refused: int = 0
    late: int = 0
