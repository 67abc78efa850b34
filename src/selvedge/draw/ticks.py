"""Places and labels of an axis: round numbers, few of them, any range."""

from __future__ import annotations

from math import ceil, floor, log10

KIB = 1024


def span(values: list[float]) -> tuple[float, float]:
    """A range that holds ``values`` and is not empty."""
    low, high = min(values, default=0.0), max(values, default=1.0)
    if low == high:
        room = abs(low) / 2 or 0.5
        return low - room, high + room
    return low, high


def ticks(low: float, high: float, most: int = 6) -> list[float]:
    """At most ``most`` multiples of 1, 2 or 5 times a power of ten within [low, high]."""
    step = 10.0 ** floor(log10((high - low) / most))
    step *= next(f for f in (1, 2, 5, 10, 20) if _count(low, high, f * step) <= most)
    first = ceil(low / step - 1e-9)
    return [(first + i) * step for i in range(_count(low, high, step))]


def widened(low: float, high: float, most: int = 6) -> tuple[float, float]:
    """The range grown to the ticks around it."""
    found = ticks(low, high, most)
    step = found[1] - found[0] if len(found) > 1 else high - low
    return floor(low / step + 1e-9) * step, ceil(high / step - 1e-9) * step


def numbers(values: list[float]) -> list[str]:
    """``values``, evenly spaced, in as many digits as tell them apart."""
    most = max(map(abs, values), default=0.0)
    if most >= 1e7 or 0 < most < 1e-4:
        return [f"{v:.4g}" for v in values]
    step = values[1] - values[0] if len(values) > 1 else most or 1.0
    digits = max(0, -floor(log10(step) + 1e-9))
    return [f"{v + 0.0:,.{digits}f}" for v in values]


def percentages(values: list[float]) -> list[str]:
    """Fractions in per cent."""
    return [f"{text}%" for text in numbers([100 * v for v in values])]


def byte_ticks(low: int, high: int, most: int = 6) -> tuple[list[int], str]:
    """At most ``most`` multiples of a power of two within [low, high], and the unit to print them in."""
    step = 1
    while high // step - -(-low // step) + 1 > most:
        step *= 2
    unit = "MiB" if step >= KIB**2 else "KiB" if step >= KIB else "B"
    return list(range(-(-low // step) * step, high + 1, step)), unit


def in_unit(size: int, unit: str) -> str:
    """Bytes as a number of ``unit``, which they are a multiple of, or to one decimal."""
    value = size / {"B": 1, "KiB": KIB, "MiB": KIB**2}[unit]
    return f"{value:,.0f}" if value == int(value) else f"{value:,.1f}"


def _count(low: float, high: float, step: float) -> int:
    return max(0, floor(high / step + 1e-9) - ceil(low / step - 1e-9) + 1)
