"""How much may be told in all."""

from __future__ import annotations

from dataclasses import dataclass

from ...errors import InvalidInput
from .accountant import Accountant, Release
from .clip import bounded


@dataclass(frozen=True, slots=True)
class Budget:
    """(``epsilon``, ``delta``)-differential privacy: epsilon above 0, delta far below one over the number of units."""

    epsilon: float
    delta: float

    def __post_init__(self) -> None:
        bounded("budget epsilon", self.epsilon)
        if isinstance(self.delta, bool) or not isinstance(self.delta, int | float) or not 0 < self.delta < 1:
            raise InvalidInput("budget delta", self.delta, "give a probability above 0, below 1")

    def allows(self, spent: Accountant, release: Release, count: int = 1) -> bool:
        """Whether ``count`` more releases stay within it."""
        return spent.after(release, count).epsilon(self.delta) <= self.epsilon


def why_not(budget: Budget, spent: Accountant, release: Release, rounds: int) -> str:
    """Why ``release`` would be too much behind ``spent``, of so many rounds; or ""."""
    if budget.allows(spent, release):
        return ""
    now = f"epsilon {spent.epsilon(budget.delta):.3f} of {budget.epsilon:g} at delta {budget.delta:g}"
    return f"the privacy budget is spent: {now}, {rounds} rounds"
