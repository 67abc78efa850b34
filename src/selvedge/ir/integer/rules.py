"""What the shape rules of int8 rows share: which quantisation an operand must have.

A row says in its attribute ``quants`` how its operands are quantised and in ``quant`` how its result is: its meaning is
given arrays alone. The rules here hold that to what the operands themselves say.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..graph import Spec
from ..quant import Quant
from ..rules import attr, refuse, require
from .requantise import ACTIVATIONS


def quants(
    op: str, specs: Sequence[Spec], attrs: Mapping[str, Any], fields: Sequence[str], dtypes: Sequence[str] = ("int8",)
) -> tuple[Quant, ...]:
    """Attribute ``quants``: one a field, and that of its operand, which is of one of ``dtypes``."""
    found = attr(op, attrs, "quants")
    ok = isinstance(found, tuple) and len(found) == len(fields) and all(isinstance(q, Quant) for q in found)
    require(ok, op, "quants", found, f"must be a Quant for each of {', '.join(fields)}")
    for field, spec, quant in zip(fields, specs, found, strict=False):
        require(spec.dtype in dtypes, op, f"{field} dtype", spec.dtype, f"must be {' or '.join(dtypes)}")
        require(spec.quant == quant, op, f"{field} quant", spec.quant, f"must be {quant}, as quants says")
    return tuple(found)


def one_scale(op: str, field: str, quant: object) -> Quant:
    """``quant``, if it is one of a single scale and an int8 zero point."""
    ok = isinstance(quant, Quant) and quant.axis is None and -128 <= quant.zero_point[0] <= 127
    if not ok or not isinstance(quant, Quant):
        raise refuse(op, field, quant, "must have one scale, and one zero point in -128..127")
    return quant


def result(op: str, attrs: Mapping[str, Any]) -> Quant:
    """Attribute ``quant``, that of the result."""
    return one_scale(op, "quant", attr(op, attrs, "quant"))


def activation(op: str, attrs: Mapping[str, Any]) -> str:
    """Attribute ``activation``: the clamp that is fused."""
    name = attr(op, attrs, "activation")
    if name not in ACTIVATIONS:
        raise refuse(op, "activation", name, f"must be one of {', '.join(ACTIVATIONS)}")
    return str(name)


def checked(op: str, derive: Any, *given: Any) -> Any:
    """``derive(*given)``, the integers of some scales; what it refuses is refused as the row's quant."""
    try:
        return derive(*given)
    except ValueError as error:
        raise refuse(op, "quant", given[-1], str(error)) from None
