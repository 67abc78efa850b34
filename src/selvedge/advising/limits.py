"""Hard limits: what is needed, what there is, and how far one is from the other."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf, isfinite
from typing import Any

from .figure import number

EXACT = 1 + 1e-9  # what rounding may add to a need


@dataclass(frozen=True, slots=True)
class Limit:
    """``need`` of ``have``, both in ``unit``; ``fix``: what would make it hold. A permission needs 1 and has infinity
    or, refused, nothing."""

    name: str
    need: float
    have: float
    unit: str
    fix: str

    @property
    def holds(self) -> bool:
        return self.need <= self.have * EXACT

    @property
    def used(self) -> float:
        """Need over have: above 1 it is broken; infinite where there is nothing of what is needed."""
        if not self.need or self.have == inf:
            return 0.0
        return self.need / self.have if self.have else inf

    @property
    def permission(self) -> bool:
        return not self.unit and self.need == 1.0 and self.have in (0.0, inf)

    def to_dict(self) -> dict[str, Any]:
        """For machines; what is infinite is None."""
        return {
            "name": self.name, "need": _finite(self.need), "have": _finite(self.have), "unit": self.unit,
            "used": _finite(self.used), "holds": self.holds, "fix": self.fix,
        }  # fmt: skip

    def __str__(self) -> str:
        if self.permission:
            return f"{self.name}: {'allowed' if self.holds else 'forbidden'}"
        unit = f" {self.unit}" if self.unit else ""
        return f"{self.name}: needs {number(self.need)}{unit}, has {number(self.have)}{unit}"


def permission(name: str, allowed: bool, fix: str) -> Limit:
    return Limit(name, 1.0, inf if allowed else 0.0, "", fix)


def _finite(value: float) -> float | None:
    return value if isfinite(value) else None
