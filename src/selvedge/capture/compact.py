"""A slot of an optimiser's state, in the parameter's own type, in bfloat16 or in blocks of 8 bits."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from .. import ir
from ..ir.ops.compact import blocks

Leaf = Callable[[str, ir.Spec], ir.Value]


@dataclass(frozen=True, slots=True)
class Slot:
    """``leaves``: name -> state leaf. ``value``: what they hold, in the parameter's type. ``store``: a new value and
    the count of updates -> what takes the place of each leaf, in order."""

    leaves: Mapping[str, ir.Value]
    value: ir.Value
    store: Callable[[ir.Value, ir.Value | None], tuple[ir.Value, ...]]

    def replaced(self, new: ir.Value, rounds: ir.Value | None) -> dict[str, ir.Value]:
        """Name -> new value of the leaf."""
        return dict(zip(self.leaves, self.store(new, rounds), strict=True))


def slot(suffix: str, spec: ir.Spec, state_dtype: str | None, square: bool, leaf: Leaf) -> Slot:
    """``spec``: the parameter's. ``square``: it is never negative. ``leaf(suffix, spec)`` makes a state leaf.

    Bytes a number: those of the parameter's type; 2; or 1 and a scale of that type for every 64.
    """
    if state_dtype == "bfloat16":
        codes = leaf(suffix, ir.Spec(spec.shape, "uint16"))
        value = ir.apply("from_bfloat16", codes, dtype=spec.dtype)
        return Slot(_named(codes), value, lambda new, rounds: (ir.apply("to_bfloat16", new, _known(rounds)),))
    if state_dtype == "int8":
        kind = "_square" if square else ""
        codes = leaf(suffix, ir.Spec(spec.shape, "uint8" if square else "int8"))
        scales = leaf(f"{suffix}.scale", ir.Spec((blocks(spec.size),), spec.dtype))
        value = ir.apply(f"dequantize{kind}", codes, scales)
        return Slot(
            _named(codes, scales), value, lambda new, rounds: ir.results(f"quantize{kind}", new, _known(rounds))
        )
    whole = leaf(suffix, spec)
    return Slot(_named(whole), whole, lambda new, rounds: (new,))


def _named(*leaves: ir.Value) -> dict[str, ir.Value]:
    return {leaf.node.attrs["name"]: leaf for leaf in leaves}


def _known(rounds: ir.Value | None) -> ir.Value:
    assert rounds is not None
    return rounds
