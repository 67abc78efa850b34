"""How parameters learn, in words: what a table and a page say of an optimiser."""

from __future__ import annotations

from dataclasses import fields
from typing import Any, cast

from ..capture.optimizer import Optimizer


def rule(optimizer: Optimizer) -> str:
    """Its name and all that is not as it is by default, as "SGD, momentum 0.9, nesterov"; but its rate, which the
    schedule has."""
    words = [type(optimizer).__name__]
    for field in fields(cast(Any, optimizer)):
        value = getattr(optimizer, field.name)
        if field.name == "lr" or value == field.default:
            continue
        if value is True:
            words.append(field.name)
        else:
            shown = "/".join(f"{v:g}" for v in value) if isinstance(value, tuple) else value
            words.append(f"{field.name} {shown:g}" if isinstance(shown, float) else f"{field.name} {shown}")
    return ", ".join(words)
