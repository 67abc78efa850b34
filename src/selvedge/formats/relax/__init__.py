"""Our graphs in Apache TVM's Relax, each row a tensor expression, so that what is compiled is what the row means."""

from .module import module
from .table import LACKS, ROWS

__all__ = ["LACKS", "ROWS", "module"]
