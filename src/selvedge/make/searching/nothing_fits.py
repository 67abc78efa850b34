"""The refusal of a budget that no candidate keeps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...device.sizes import format_bytes
from ...errors import SelvedgeError, one_line
from .figures import NAMES

Broken = tuple[str, float, float]  # what, need, have
Point = tuple[str, Sequence[Broken]]  # a candidate's name, and what it breaks


class NothingFits(SelvedgeError):
    """``closest``: the candidates that break the budget least, each with (what, need, have) of what it breaks.
    ``binding``: the limit that most of all candidates break."""

    def __init__(self, binding: str, tried: int, closest: Sequence[Point]) -> None:
        super().__init__(binding, tried, tuple(closest))
        self.binding, self.tried, self.closest = binding, tried, tuple(closest)

    def __str__(self) -> str:
        near = "; ".join(f"{name}: " + ", ".join(_said(*b) for b in broken) for name, broken in self.closest)
        return one_line(
            f"none of {self.tried} candidates keeps the budget: {NAMES[self.binding]} binds; closest: {near}"
        )


def nothing_fits(points: Sequence[Point]) -> NothingFits:
    """Of all candidates that were tried, each of which breaks something."""
    counts: dict[str, int] = {}
    for _, broken in points:
        for name, _, _ in broken:
            counts[name] = counts.get(name, 0) + 1
    closest = sorted(points, key=lambda p: (excess(p[1]), p[0]))[:3]
    binding = max(counts, key=lambda n: (counts[n], n)) if counts else "run"
    return NothingFits(binding, len(points), closest)


def excess(broken: Sequence[Broken]) -> float:
    """How many times the limit that is broken most."""
    return max(_over(*b) for b in broken)


def _over(name: str, need: float, have: float) -> float:
    """How many times too much, or too little accuracy."""
    return have / need if name == "accuracy" and need else need / have if name != "accuracy" else float("inf")


def _said(name: str, need: float, have: float) -> str:
    if name in ("run", "train", "flash"):
        return f"{NAMES[name]} {format_bytes(int(need))} of {format_bytes(int(have))}"
    if name == "accuracy":
        return f"accuracy {need:.1%} of {have:.1%}"
    unit = "s" if name == "latency_s" else "J"
    told: Any = "unknown on this device" if need == float("inf") else f"{need:.3g} {unit}"
    return f"{NAMES[name]} {told} of {have:.3g} {unit}"
