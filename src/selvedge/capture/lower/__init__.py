"""ATen operators in terms of the op table: one function a family member, found by its ATen name."""

from importlib import import_module
from pkgutil import iter_modules

from .table import LOWERINGS, Call, lower

for _module in iter_modules(__path__):
    import_module(f"{__name__}.{_module.name}")

__all__ = ["LOWERINGS", "Call", "lower"]
