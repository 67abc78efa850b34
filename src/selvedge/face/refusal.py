"""A refusal as the command line tells it: a line, the changes that would do below it; or data."""

from __future__ import annotations

import math

from ..changes import Change, Changes
from ..errors import DoesNotFit, SelvedgeError, one_line


def lines(error: SelvedgeError) -> list[str]:
    """Below the error's own line, one for each change after which it fits: its bytes, what it is, and its price where
    that is known."""
    if not isinstance(error, DoesNotFit):
        return []
    return [
        f"  {_bytes(change, error.resource):>11,} B  {one_line(change.text)}{_price(change)}"
        for change in error.changes
    ]


def data(error: SelvedgeError) -> dict[str, object]:
    """For machines: its kind, its line and its fields."""
    own = {k: v for k, v in vars(error).items() if not k.startswith("_")}  # typer hangs its own beside them
    fields = {k: _value(v) for k, v in own.items()}
    return {"error": {"kind": type(error).__name__, "message": str(error), **fields}}


def _bytes(change: Change, resource: str) -> int:
    """Of what did not fit."""
    return change.flash_bytes if resource.startswith("flash") else change.arena_bytes


def _price(change: Change) -> str:
    known = change.gives_up or change.time_factor is not None or change.energy_factor is not None
    return f"; price: {change.price}" if known else ""


def _value(value: object) -> object:
    if isinstance(value, Changes):
        return value.to_dict()
    if isinstance(value, tuple | list):
        return [_value(part) for part in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if isinstance(value, int | float | str | None) else str(value)
