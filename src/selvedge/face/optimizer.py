"""An optimiser as the command line names it: ``sgd:lr=0.01,momentum=0.9``."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from ..capture.optimizer import SGD, Adam, Optimizer, RMSProp
from ..errors import InvalidInput

KINDS: dict[str, tuple[Any, float]] = {"sgd": (SGD, 0.01), "adam": (Adam, 1e-3), "rmsprop": (RMSProp, 1e-3)}


def parse(text: str) -> Optimizer:
    """Raises ``InvalidInput`` for an unknown name, key or value."""
    name, _, rest = text.partition(":")
    if name.lower() not in KINDS:
        raise InvalidInput("--optimizer", text, f"give one of {', '.join(KINDS)}, as sgd:lr=0.01,momentum=0.9")
    kind, rate = KINDS[name.lower()]
    known = {f.name: str(f.type) for f in fields(kind)}
    given: dict[str, Any] = {"lr": rate}
    for part in filter(None, rest.split(",")):
        key, equals, value = (p.strip() for p in part.partition("="))
        if not equals or key not in known:
            raise InvalidInput("--optimizer", part, f"{name} takes {', '.join(known)}")
        given[key] = _value(key, value)
    made: Optimizer = kind(**given)
    return made


def _value(key: str, text: str) -> Any:
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    try:
        numbers = tuple(float(v) for v in text.split("/"))
    except ValueError:
        raise InvalidInput(f"--optimizer {key}", text, "give a number (a pair as 0.9/0.999)") from None
    return numbers[0] if len(numbers) == 1 else numbers
