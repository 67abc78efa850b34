"""How a figure, a spread and a failure are written into a cell."""

from __future__ import annotations

from typing import Any


def failure(value: Any) -> str | None:
    """Why there is no figure; None if there is one."""
    return value["failed"] if isinstance(value, dict) and "failed" in value else None


def failed(value: Any) -> str:
    return f"FAILED: {failure(value)}"


def number(value: Any) -> str:
    """Bytes."""
    return failed(value) if failure(value) else f"{value:,}"


def range_(value: Any) -> str:
    """Milliseconds: median (lower quartile-upper quartile), in three digits."""
    if failure(value):
        return failed(value)
    digits = 3 if value["median"] < 1e-3 else 2 if value["median"] < 1e-2 else 1 if value["median"] < 0.1 else 0
    median, low, high = (f"{value[key] * 1e3:.{digits}f}" for key in ("median", "low", "high"))
    return f"{median} ({low}-{high})"


def times(value: Any) -> str:
    """A ratio: median (quartiles)."""
    if failure(value):
        return "-"
    ratio = value["times"]
    digits = 1 if ratio["median"] < 20 else 0
    return f"**{ratio['median']:.{digits}f}** ({ratio['low']:.{digits}f}-{ratio['high']:.{digits}f})"


def missing(rows: list[dict[str, Any]]) -> list[str]:
    """What should have been there and was not, each once."""
    cells = [cell for row in rows for cell in row.values()]
    return sorted({cell["failed"] for cell in cells if failure(cell) and cell["missing"]})
