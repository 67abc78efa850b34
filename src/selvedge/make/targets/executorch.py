"""ExecuTorch: a ``.pte`` file a program. What only predicts goes to XNNPACK as far as it has kernels."""

from __future__ import annotations

from ...aten.module import Computed
from ...aten.pte import exported, pte
from ...emitting.foreign import Written
from . import Given
from .aten import artifact


def written(given: Given) -> Written:
    """State goes in and comes out: any optimiser, and sparse updates, are ordinary operators."""

    def made(name: str, module: Computed) -> bytes:
        # XNNPACK's kernels want constant weights; where those learn, delegating what is left only costs.
        return pte(exported(module, name), name, delegate=not given.learnt)

    return artifact(given, ".pte", made)
