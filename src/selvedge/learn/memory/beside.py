"""What is kept with a sample besides its label."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from ...errors import InvalidInput
from ..given import whole
from .bits import Bits
from .codec import Codec, checked
from .raw import Raw

FLOAT32 = np.dtype(np.float32)
STORED: dict[str, Codec] = {"float32": Raw(), "float16": Raw("float16"), "int8": Bits(8)}


@dataclass(frozen=True, slots=True)
class Beside:
    """A float32 array of ``shape`` a sample, through ``codec``."""

    shape: tuple[int, ...]
    codec: Codec = field(default_factory=Raw)

    def __post_init__(self) -> None:
        if not isinstance(self.shape, tuple) or min(whole("beside shape", n) for n in (*self.shape, 1)) < 1:
            raise InvalidInput("beside shape", self.shape, "give a tuple of sizes of at least 1, as (10,)")
        checked("beside codec", self.codec)

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
