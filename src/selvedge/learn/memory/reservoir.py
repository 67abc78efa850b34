"""Every sample of the stream with the same chance."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from .policy import Arrays, Held, counted


class Reservoir:
    """Vitter's algorithm R (*Random sampling with a reservoir*, ACM TOMS 1985): the t-th sample is kept with
    probability capacity / t, in the place of any. What is held is a uniform sample of all that was seen; 4 B."""

    def fixed(self, classes: int) -> Arrays:
        return {"seen": ((1,), "uint32")}

    def each(self) -> Arrays:
        return {}

    def slot(self, held: Held, sample: npt.NDArray[Any], label: int) -> int | None:
        seen = held.state["seen"]
        counted(seen, 0)
        if len(held) < held.capacity:
            return len(held)
        place = held.random.below(int(seen[0]))
        return place if place < held.capacity else None

    def written(self, held: Held, slot: int, sample: npt.NDArray[Any], new: bool) -> None:
        pass

    def fault(self, state: Mapping[str, npt.NDArray[Any]], of_each: npt.NDArray[np.intp]) -> str | None:
        return "more is held than was seen" if of_each.sum() > state["seen"][0] else None
