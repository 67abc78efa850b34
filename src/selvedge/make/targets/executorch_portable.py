"""ExecuTorch by its portable kernels alone: what any board runs that its C++ runtime is built for."""

from __future__ import annotations

from ...aten.pte import exported, pte
from ...emitting.foreign import Written
from . import Given
from .aten import artifact


def written(given: Given) -> Written:
    """As for ``executorch``, without XNNPACK."""
    return artifact(given, ".pte", lambda name, module: pte(exported(module, name), name, delegate=False))
