"""The lowering table and what each of its functions is given."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import torch

from ... import ir
from ...errors import NotSupported
from ..live import Live
from ..tensor import Tensor, align

Result = Tensor | tuple[Tensor | None, ...]
Lowering = TypeVar("Lowering", bound=Callable[..., Result])
LOWERINGS: dict[str, Callable[..., Result]] = {}


@dataclass(frozen=True, slots=True)
class Call:
    """One ATen call: its name ("aten.relu.default") and the user's line; makes nodes that carry that line. live: what
    the model does only while it learns, where that is captured."""

    op: str
    where: str
    live: Live | None = None

    def apply(self, name: str, *inputs: ir.Value, **attrs: Any) -> ir.Value:
        return ir.apply(name, *inputs, where=self.where, **attrs)

    def refuse(self, what_to_do: str) -> NotSupported:
        return NotSupported(self.op, self.where, what_to_do)

    def require(self, ok: bool, what_to_do: str) -> None:
        """Raise :meth:`refuse` unless ``ok``."""
        if not ok:
            raise self.refuse(what_to_do)

    def unary(self, name: str, x: Tensor, **attrs: Any) -> Tensor:
        """An elementwise row over one tensor."""
        return x.like(self.apply(name, x.value, **attrs))

    def joint(self, name: str, *operands: Tensor, **attrs: Any) -> Tensor:
        """An elementwise row over tensors that broadcast PyTorch's way."""
        aligned = align(operands, self.where)
        lead = max(aligned, key=lambda t: (t.rank, t.value.spec.size))
        values = (t.value if t is lead else ir.trim(t.value, self.where) for t in aligned)
        return lead.like(self.apply(name, *values, **attrs))

    def number(self, value: float, like: Tensor) -> Tensor:
        """A scalar of the dtype of ``like``."""
        return Tensor.plain(ir.scalar(value, like.value))


def lowers(*names: str, home: str = "aten") -> Callable[[Lowering], Lowering]:
    """Enter a function in the table under names of ``home``, ATen's without their "aten."."""

    def enter(function: Lowering) -> Lowering:
        for name in names:
            if f"{home}.{name}" in LOWERINGS:
                raise ValueError(f"{home}.{name} is already in the lowering table")
            LOWERINGS[f"{home}.{name}"] = function
        return function

    return enter


def lower(call: Call, target: Any, args: Sequence[Any], kwargs: dict[str, Any]) -> Result:
    """The result of one ATen call. Functions get the arguments in the order of the operator's schema."""
    function = LOWERINGS.get(call.op)
    if function is None:
        raise call.refuse(
            "write it with supported operations (selvedge operators lists them), or keep it outside the model"
        )
    bound = list(args)
    for argument in target._schema.arguments[len(bound) :]:
        bound.append(kwargs.get(argument.name, argument.default_value))
    return function(call, *map(_argument, bound))


def _argument(value: Any) -> Any:
    """Tensors that are known at capture become constants; those of one element, numbers."""
    if isinstance(value, list | tuple):
        return [_argument(v) for v in value]
    if not isinstance(value, torch.Tensor):
        return value
    if value.ndim == 0:
        return value.item()
    array = value.detach().numpy()
    if array.dtype.kind != "i":
        return Tensor.plain(ir.constant(array, array.dtype.name))
    limits = np.iinfo(np.int32)
    if array.size and not limits.min <= array.min() <= array.max() <= limits.max:
        raise ValueError("a constant holds integers beyond 32 bits; keep them within")
    return Tensor.plain(ir.constant(array, "int32"))
