"""Which weights may be zero together: any of them, or all but N of every M neighbouring inputs of an output."""

from __future__ import annotations

import re
from dataclasses import dataclass

import torch

from ...artifact.number import finite
from ...errors import InvalidInput

UNSTRUCTURED = "unstructured"


@dataclass(frozen=True, slots=True)
class Pattern:
    """``n`` of every ``m`` inputs stay (Zhou et al., "Learning N:M Fine-grained Structured Sparse Neural Networks From
    Scratch", arXiv:2102.04010); m 0: any may go."""

    n: int = 0
    m: int = 0

    @classmethod
    def parse(cls, text: object) -> Pattern:
        """Raises ``InvalidInput``."""
        if text == UNSTRUCTURED:
            return cls()
        found = re.fullmatch(r"(\d+):(\d+)", text) if isinstance(text, str) else None
        if found is None or not 0 < int(found[1]) < int(found[2]) <= 256:
            raise InvalidInput("pattern", text, 'give "unstructured", or N:M with 0 < N < M <= 256, as "2:4"')
        return cls(int(found[1]), int(found[2]))

    @property
    def sparsity(self) -> float | None:
        """The share of zeros, where the pattern says it."""
        return 1 - self.n / self.m if self.m else None

    def share(self, sparsity: object) -> float:
        """``sparsity``, or what the pattern says. Raises ``InvalidInput``."""
        own = self.sparsity
        if sparsity is None and own is not None:
            return own
        number = finite(sparsity)
        if number is None or not 0 < number < 1:
            raise InvalidInput("sparsity", sparsity, "give the share of zeros, above 0 and below 1: 0.9 for 90 %")
        if own is not None and abs(number - own) > 1e-9:
            raise InvalidInput("sparsity", sparsity, f"{self} has {own:g}: give that, leave it out, or another pattern")
        return number

    def fits(self, weight: torch.Tensor) -> bool:
        """Whether the inputs of ``weight`` [out, in, ...] part into runs of m."""
        return not self.m or weight.shape[1] % self.m == 0

    def __str__(self) -> str:
        return f"{self.n}:{self.m}" if self.m else UNSTRUCTURED


def smallest(scores: torch.Tensor, count: int) -> torch.Tensor:
    """bool, False at the ``count`` smallest of ``scores``; of equal ones the first go."""
    order = torch.sort(scores.reshape(-1), stable=True)[1]
    mask = torch.ones(scores.numel(), dtype=torch.bool)
    mask[order[:count]] = False
    return mask.reshape(scores.shape)


def largest_of(scores: torch.Tensor, n: int, m: int) -> torch.Tensor:
    """bool, True at the ``n`` largest of every m neighbouring inputs (axis 1) of an output, at each tap by itself."""
    runs = scores.movedim(1, -1)
    shape = runs.shape
    runs = runs.reshape(-1, m)
    order = torch.sort(runs, dim=1, descending=True, stable=True)[1]
    mask = torch.zeros(runs.shape, dtype=torch.bool)
    mask.scatter_(1, order[:, :n], True)
    return mask.reshape(shape).movedim(-1, 1).contiguous()
