"""One thing that could be put on the device, and what was found of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .figures import Figures

FLOAT, INT8 = "float", "int8"
BOUND = 0.03  # of an element of a gradient


@dataclass(frozen=True, slots=True)
class Candidate:
    """``architecture``: its name in the space, with its ``options``. ``bits``: "float", or "int8" of all but the last
    ``tail`` layers, which are float and learn. ``update``: what learns, as of ``sv.plan``. ``bounded``: each element of
    its gradients to :data:`BOUND`, so that one sample does not throw it. ``taught``: trained with the teacher.
    ``shipped``, ``learnt``: accuracy on held-out samples before and after learning, by compiled code; ``each``: the
    latter by person; ``brier``: the score of the latter's answers, less is better. ``rate``: that learning
    begins with, the best for those people; 0 where none was better than not to learn. ``fits``: it keeps the budget.
    ``best``: no other that fits is as good in everything and better in something."""

    architecture: str
    options: Mapping[str, float | int | str]
    bits: str
    tail: int
    update: str
    bounded: bool
    taught: bool
    figures: Figures
    shipped: float
    learnt: float
    brier: float
    each: tuple[float, ...]
    rate: float
    fits: bool
    best: bool = False

    @property
    def train_bytes(self) -> int:
        """Of RAM."""
        return self.figures.train_bytes

    @property
    def name(self) -> str:
        """In words that no other candidate of the search has."""
        head = self.architecture + (", taught" if self.taught else "")
        bits = self.bits if self.bits == FLOAT else f"{self.bits} but {self.tail}"
        return f"{head}; {bits}; learns {self.update}" + (", bounded" if self.bounded else "")

    def to_dict(self) -> dict[str, Any]:
        """The figures, for machines."""
        return {
            "name": self.name,
            "architecture": self.architecture,
            "options": dict(self.options),
            "bits": self.bits,
            "tail": self.tail,
            "update": self.update,
            "bounded": self.bounded,
            "taught": self.taught,
            **self.figures.to_dict(),
            "shipped": self.shipped,
            "learnt": self.learnt,
            "brier": self.brier,
            "learnt_each": list(self.each),
            "rate": self.rate,
            "fits": self.fits,
            "best": self.best,
        }

    @classmethod
    def from_dict(cls, given: Mapping[str, Any]) -> Candidate:
        figures = Figures(**{k: given[k] for k in Figures.__dataclass_fields__})
        return cls(
            given["architecture"], given["options"], given["bits"], given["tail"], given["update"], given["bounded"],
            given["taught"], figures, given["shipped"], given["learnt"], given["brier"], tuple(given["learnt_each"]),
            given["rate"], given["fits"], given["best"],
        )  # fmt: skip
