"""What is kept with a sample besides its label."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...errors import InvalidInput
from .bits import Bits
from .codec import Codec
from .raw import Raw

FLOAT32 = np.dtype(np.float32)
STORED: dict[str, Codec] = {"float32": Raw(), "float16": Raw("float16"), "int8": Bits(8)}


@dataclass(frozen=True, slots=True)
class Beside:
    """A float32 array of ``shape`` a sample, through ``codec``."""

    shape: tuple[int, ...]
    codec: Codec = Raw()  # noqa: RUF009 - a frozen value

    @property
    def bytes(self) -> int:
        """Of one sample."""
        return self.codec.size(self.shape, FLOAT32)


def logits(classes: int, stored: str = "float16") -> Beside:
    """What the model said of a sample when it was kept, [classes]: dark experience replay's targets (Buzzega et al.,
    *Dark experience for general continual learning*, NeurIPS 2020).

    stored: "float32" (4 B each), "float16" (2 B) or "int8" (1 B, and 4 B a sample for its range).
    """
    if stored not in STORED:
        raise InvalidInput("logits", stored, f"give one of {', '.join(STORED)}")
    return Beside((classes,), STORED[stored])
