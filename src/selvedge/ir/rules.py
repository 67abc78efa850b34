"""What the shape rules of the op table share: refusals that name field, value and what is allowed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .graph import Spec
from .op import Attrs


def refuse(op: str, field: str, value: object, allowed: str) -> ValueError:
    """The one form of a shape rule's error."""
    return ValueError(f"{op}: {field} is {value}; {allowed}")


def require(ok: bool, op: str, field: str, value: object, allowed: str) -> None:
    """Raise :func:`refuse` unless ``ok``."""
    if not ok:
        raise refuse(op, field, value, allowed)


def arity(op: str, specs: Sequence[Spec], n: int) -> None:
    """Exactly ``n`` inputs."""
    require(len(specs) == n, op, "number of inputs", len(specs), f"must be {n}")


def rank(op: str, field: str, spec: Spec, n: int) -> None:
    """``spec`` has ``n`` axes."""
    require(len(spec.shape) == n, op, f"{field} shape", spec.shape, f"must have {n} axes")


def attr(op: str, attrs: Attrs, field: str) -> Any:
    """Attribute ``field``, which must be there."""
    if field not in attrs:
        raise refuse(op, f"attribute {field!r}", "missing", f"given: {', '.join(attrs) or 'none'}")
    return attrs[field]


def number(op: str, attrs: Attrs, field: str) -> float:
    """Attribute ``field``, a Python number."""
    value = attr(op, attrs, field)
    require(isinstance(value, int | float), op, field, repr(value), "must be a number")
    return float(value)


def float_dtype(op: str, specs: Sequence[Spec]) -> str:
    """The one float dtype of ``specs``."""
    found = [s.dtype for s in specs]
    require(all(s.is_float for s in specs), op, "dtype", found, "must be float32 or float64")
    require(len(set(found)) == 1, op, "dtypes", found, "must be the same")
    return found[0]


def broadcast(op: str, specs: Sequence[Spec]) -> tuple[int, ...]:
    """The numpy broadcast of the shapes of ``specs``."""
    n = max((len(s.shape) for s in specs), default=0)
    result = [1] * n
    for spec in specs:
        for axis, size in enumerate(spec.shape, start=n - len(spec.shape)):
            if size != 1 and result[axis] not in (1, size):
                raise refuse(op, "shapes", [s.shape for s in specs], "must broadcast the numpy way")
            result[axis] = size if size != 1 else result[axis]
    return tuple(result)


def ints(op: str, attrs: Attrs, field: str, n: int | None = None, least: int = 0) -> tuple[int, ...]:
    """Attribute ``field``: a tuple of ``n`` integers, none below ``least``."""
    value = attr(op, attrs, field)
    ok = isinstance(value, tuple) and all(isinstance(v, int) and v >= least for v in value)
    count = "" if n is None else f"{n} "
    require(ok and n in (None, len(value)), op, field, value, f"must be a tuple of {count}integers >= {least}")
    return tuple(value)
