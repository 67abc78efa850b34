"""Apache TVM through its C: the kernels as a C file, and the library that this machine's compiler made of it."""

from __future__ import annotations

from ...emitting.foreign import Written
from . import Given
from .tvm import compiled


def written(given: Given) -> Written:
    """As for ``tvm``."""
    return compiled(given, "c")
