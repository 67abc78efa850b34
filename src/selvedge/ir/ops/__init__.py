"""The rows of the op table, one family a file. Importing this package fills :data:`selvedge.ir.op.TABLE`."""

from importlib import import_module
from pkgutil import iter_modules

for _module in iter_modules(__path__):
    import_module(f"{__name__}.{_module.name}")
