"""An optimiser as the command line names it: ``sgd:lr=0.01,momentum=0.9``, ``adam:state=int8,clip_norm=1``."""

from __future__ import annotations

import math
from dataclasses import fields
from typing import Any, cast

from ..capture.optimizer import SGD, Adam, Optimizer, RMSProp
from ..errors import InvalidInput
from .optimizer_name import check

SHORT = {"state_dtype": "state"}  # field -> how it is written here
KINDS: dict[str, tuple[Any, float]] = {"sgd": (SGD, 0.01), "adam": (Adam, 1e-3), "rmsprop": (RMSProp, 1e-3)}


def parse(text: str) -> Optimizer:
    """Raises ``InvalidInput`` for an unknown name, key or value."""
    name, rest = check(text), text.partition(":")[2]
    kind, rate = KINDS[name]
    known = {SHORT.get(f.name, f.name): str(f.type) for f in fields(kind)}
    given: dict[str, Any] = {}
    for part in filter(None, (p.strip() for p in rest.split(","))):
        key, equals, value = (p.strip() for p in part.partition("="))
        key = SHORT.get(key, key)
        if not equals or key not in known:
            raise InvalidInput("--optimizer", part, f"{name} takes {', '.join(known)}")
        if key in given:
            raise InvalidInput("--optimizer", part, f"give {key} once")
        given[key] = _value(key, known[key], value)
    full = {short: name for name, short in SHORT.items()}
    made: Optimizer = kind(**{"lr": rate, **{full.get(key, key): value for key, value in given.items()}})
    return made


def spelt(optimizer: Optimizer) -> str:
    """What :func:`parse` reads as ``optimizer``."""
    name = next(n for n, (kind, _) in KINDS.items() if type(optimizer) is kind)
    given = []
    for field in fields(cast(Any, optimizer)):
        value = getattr(optimizer, field.name)
        if value != field.default:
            text = "/".join(map(repr, value)) if isinstance(value, tuple) else str(value).lower()
            given.append(f"{SHORT.get(field.name, field.name)}={text}")
    return f"{name}:{','.join(given)}"


def _value(key: str, kind: str, text: str) -> Any:
    """``text`` as what the field is annotated with: a flag, a word, a pair or a number."""
    if kind.startswith("str"):
        return text
    if kind == "bool":
        if text.lower() not in ("true", "false"):
            raise InvalidInput(f"--optimizer {key}", text or "empty", "give true or false")
        return text.lower() == "true"
    pair = kind.startswith("tuple")
    try:
        numbers = tuple(float(v) for v in text.split("/"))
    except ValueError:
        numbers = ()
    if len(numbers) != (2 if pair else 1) or not all(map(math.isfinite, numbers)):
        fix = "give two numbers, as 0.9/0.999" if pair else "give a finite number"
        raise InvalidInput(f"--optimizer {key}", text or "empty", fix)
    return numbers if pair else numbers[0]
