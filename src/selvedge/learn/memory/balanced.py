"""As many of each class, whatever the order of the stream."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from .policy import Arrays, Held, counted


class Balanced:
    """A class-balancing reservoir (Chrysakis & Moens, *Online Continual Learning from Imbalanced Data*, ICML 2020).

    While there is room every sample is kept. Then a class that has never been the largest takes a slot from
    the largest; any other replaces one of its own with probability held / seen, so that what is held of a
    class stays a uniform sample of what was seen. Hence, once full, every class either holds all that was
    seen of it or is within one sample of the largest. Per class a counter (4 B) and a mark (1 B).
    """

    def fixed(self, classes: int) -> Arrays:
        return {"seen": ((classes,), "uint32"), "full": ((classes,), "bool")}

    def each(self) -> Arrays:
        return {}

    def slot(self, held: Held, sample: npt.NDArray[Any], label: int) -> int | None:
        place = self._place(held, label)
        counted(held.state["seen"], label)
        return place

    def written(self, held: Held, slot: int, sample: npt.NDArray[Any], new: bool) -> None:
        if len(held) == held.capacity:
            of_each = held.of_each()
            held.state["full"][...] |= of_each == of_each.max()

    def fault(self, state: Mapping[str, npt.NDArray[Any]], of_each: npt.NDArray[np.intp]) -> str | None:
        return "a class holds more than was seen of it" if np.any(of_each > state["seen"]) else None

    def _place(self, held: Held, label: int) -> int | None:
        if len(held) < held.capacity:
            return len(held)
        of_each, victim = held.of_each(), label
        if not held.state["full"][label]:
            largest = np.flatnonzero(of_each == of_each.max())
            victim = int(largest[held.random.below(largest.size)])
        elif held.random.below(int(held.state["seen"][label]) + 1) >= of_each[label]:
            return None
        slots = np.flatnonzero(held.labels.first(len(held)) == victim)
        return int(slots[held.random.below(slots.size)])
