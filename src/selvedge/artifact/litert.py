"""What the signatures of a ``.tflite`` file are called."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

SAVE, RESTORE = "save", "restore"
NAMES: Mapping[str, str] = MappingProxyType({"predict": "infer", "step": "train"})
"""Program -> its signature, where that is called otherwise."""


def signature_of(program: str) -> str:
    """The signature of ``program``: "infer" of "predict", "train_3" of "step_3"."""
    kind, size, suffix = program.partition("_")
    return f"{NAMES.get(kind, kind)}{size}{suffix}"
