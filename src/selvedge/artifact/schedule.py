"""Learning-rate schedules as data: plain numbers in the manifest, ``lr(step)`` in pure Python.

Steps count from 0. Every schedule is a frozen value with ``to_dict``; :func:`from_dict` reads it back.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from math import cos, inf, pi, sqrt
from typing import Any

from ..errors import InvalidInput
from .number import finite


def _check(ok: bool, field: str, value: object, allowed: str) -> None:
    if not ok:
        raise InvalidInput(f"schedule {field}", value, allowed)


def _rate(owner: object, field: str, *, zero: bool = True) -> None:
    """The field as a python float; numpy's scalars are taken."""
    value = getattr(owner, field)
    number = finite(value)
    least = ">= 0" if zero else "> 0"
    good = number is not None and (number >= 0 if zero else number > 0)
    _check(good, field, value, f"give a finite number {least}")
    object.__setattr__(owner, field, number)


def _steps(field: str, value: object, least: int) -> None:
    whole = isinstance(value, int) and not isinstance(value, bool)
    _check(whole and value >= least, field, value, f"give a whole number of steps >= {least}")  # type: ignore[operator]


def _warm(step: int, warmup: int) -> float:
    """(step + 1) / warmup while warming up, then 1."""
    return min(1.0, (step + 1) / warmup) if warmup else 1.0


@dataclass(frozen=True, slots=True)
class Constant:
    """Always ``base``."""

    base: float

    def __post_init__(self) -> None:
        _rate(self, "base")

    def lr(self, step: int) -> float:
        return self.base

    def to_dict(self) -> dict[str, Any]:
        return {"schedule": "constant", **asdict(self)}


@dataclass(frozen=True, slots=True)
class Step:
    """``base * factor ** (step // every)``: PyTorch's StepLR."""

    base: float
    every: int
    factor: float = 0.1

    def __post_init__(self) -> None:
        _rate(self, "base")
        _steps("every", self.every, 1)
        _rate(self, "factor", zero=False)

    def lr(self, step: int) -> float:
        try:
            return float(self.base * self.factor ** (step // self.every))
        except OverflowError:  # a factor above 1, long enough: a session refuses the step
            return inf

    def to_dict(self) -> dict[str, Any]:
        return {"schedule": "step", **asdict(self)}


@dataclass(frozen=True, slots=True)
class Cosine:
    """Linear warm-up over ``warmup`` steps, then half a cosine from ``base`` to ``least`` at step ``steps``.

    Loshchilov and Hutter, "SGDR" (2017), eq. 5, without restarts.
    """

    base: float
    steps: int
    warmup: int = 0
    least: float = 0.0

    def __post_init__(self) -> None:
        _rate(self, "base")
        _rate(self, "least")
        _check(self.least <= self.base, "least", self.least, f"it must lie in 0..{self.base}")
        _steps("steps", self.steps, 1)
        _steps("warmup", self.warmup, 0)
        _check(self.warmup < self.steps, "warmup", self.warmup, f"it must lie in 0..{self.steps - 1} steps")

    def lr(self, step: int) -> float:
        if step < self.warmup:
            return self.base * _warm(step, self.warmup)
        done = min(1.0, (step - self.warmup) / (self.steps - self.warmup))
        return self.least + (self.base - self.least) * (1 + cos(pi * done)) / 2

    def to_dict(self) -> dict[str, Any]:
        return {"schedule": "cosine", **asdict(self)}


@dataclass(frozen=True, slots=True)
class InverseSqrt:
    """Linear warm-up, then ``base * sqrt(warmup / (step + 1))``: Vaswani et al. (2017), eq. 3, scaled."""

    base: float
    warmup: int = 1

    def __post_init__(self) -> None:
        _rate(self, "base")
        _steps("warmup", self.warmup, 1)

    def lr(self, step: int) -> float:
        return self.base * min(_warm(step, self.warmup), sqrt(self.warmup / (step + 1)))

    def to_dict(self) -> dict[str, Any]:
        return {"schedule": "inverse_sqrt", **asdict(self)}


Schedule = Constant | Step | Cosine | InverseSqrt

_BY_NAME: Mapping[str, Callable[..., Schedule]] = {
    "constant": Constant,
    "step": Step,
    "cosine": Cosine,
    "inverse_sqrt": InverseSqrt,
}


def from_dict(data: Mapping[str, Any]) -> Schedule:
    """The schedule that :meth:`to_dict` wrote. Raises ``InvalidInput`` for an unknown name or field."""
    fields = dict(data)
    name = fields.pop("schedule", None)
    _check(name in _BY_NAME, "name", name, f"it must be one of {', '.join(_BY_NAME)}")
    try:
        return _BY_NAME[str(name)](**fields)
    except TypeError as error:
        raise InvalidInput(f"schedule {name}", f"of fields {', '.join(fields)}", str(error)) from None
