"""ATen operators in terms of the op table: one function a family member, found by its ATen name."""

from collections.abc import Callable
from importlib import import_module
from pkgutil import iter_modules

import torch

from ... import ir
from ..tensor import Tensor
from .table import LOWERINGS, Call, lower, lowers


def _same(name: str) -> Callable[[Call, Tensor], Tensor]:
    def function(call: Call, x: Tensor) -> Tensor:
        return call.unary(name, x)

    return function


for _module in iter_modules(__path__):
    import_module(f"{__name__}.{_module.name}")


def _takes_one_tensor(aten: str) -> bool:
    packet = getattr(torch.ops.aten, aten, None)
    return packet is not None and "default" in packet.overloads() and len(packet.default._schema.arguments) == 1


# Rows that are ATen operators of one tensor as they stand need no function of their own.
for _name in [name for name, row in ir.TABLE.items() if row.unary and not row.numbers]:
    for _aten in (_name, f"{_name}_"):
        if _takes_one_tensor(_aten) and f"aten.{_aten}.default" not in LOWERINGS:
            lowers(f"{_aten}.default")(_same(_name))

__all__ = ["LOWERINGS", "Call", "lower"]
