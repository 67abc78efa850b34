"""ATen operators in terms of the op table: one function a family member, found by its ATen name."""

import sys
from collections.abc import Callable
from importlib import import_module
from pkgutil import iter_modules

import torch

from ... import ir
from ..tensor import Tensor
from .shape import item
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
        if _aten != "detach_" and _takes_one_tensor(_aten) and f"aten.{_aten}.default" not in LOWERINGS:
            lowers(f"{_aten}.default")(_same(_name))


def _families() -> dict[str, tuple[str, ...]]:
    """What each module's first line says it lowers -> the ATen names, without those of in-place forms."""
    found: dict[str, set[str]] = {}
    for aten, function in sorted(LOWERINGS.items()):
        name = aten.split(".")[1]
        if function not in _REFUSED and not (name.endswith("_") or name.startswith("_")):
            home = (sys.modules[function.__module__].__doc__ or "").partition("\n")[0].rstrip(".")
            title = "Elementwise functions of one tensor" if function.__module__ == __name__ else home
            found.setdefault(title, set()).add(name)
    return {title: tuple(sorted(names)) for title, names in sorted(found.items())}


_REFUSED = (item,)
TITLES = _families()

__all__ = ["LOWERINGS", "TITLES", "Call", "lower"]
