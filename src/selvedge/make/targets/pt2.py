"""torch.export: a ``.pt2`` file a program."""

from __future__ import annotations

import io

import torch

from ...aten.module import Computed
from ...aten.pte import exported
from ...emitting.foreign import Written
from . import Given
from .aten import artifact


def written(given: Given) -> Written:
    """State goes in and comes out; int8 rows are float operators between quantize and dequantize."""

    def made(name: str, module: Computed) -> bytes:
        with io.BytesIO() as buffer:
            torch.export.save(exported(module, name), buffer)
            return buffer.getvalue()

    return artifact(given, ".pt2", made)
