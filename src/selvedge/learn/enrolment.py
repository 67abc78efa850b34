"""A class that a few examples make known, and what was before it, kept to be taken back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import InvalidInput
from .copies import Copy
from .lesson import Memory
from .spare import Labels

Array = npt.NDArray[Any]


class Enrolment:
    """The table of classes, and the last enrolment's undoing: weights, memory and table as they were before it.

    Room for them is there from the first day: ``bytes``.
    """

    def __init__(self, labels: Labels, began: Copy, memory: Memory) -> None:
        self.labels = labels
        self._held = False
        self._weights, self._memory, self._names = began, memory.state_dict(), labels.state_dict()

    @property
    def held(self) -> bool:
        """Whether there is an enrolment that can be taken back."""
        return self._held

    @property
    def bytes(self) -> int:
        kept = sum(array.nbytes for array in self._memory.values())
        return 2 * self.labels.bytes + self._weights.bytes + kept

    def keep(self, deployed: Copy, memory: Memory) -> None:
        """How it is now, before a class is entered."""
        self._held = True
        self._weights, self._memory, self._names = deployed, memory.state_dict(), self.labels.state_dict()

    def taken_back(self, memory: Memory) -> Copy:
        """Memory and table as they were; the weights that predicted then."""
        memory.load_state_dict(self._memory)
        self.labels.load_state_dict(self._names)
        self._held = False
        return self._weights

    def state_dict(self) -> dict[str, Array]:
        return {
            "held": np.array(self._held),
            "steps": np.array(self._weights.steps),
            "names": self.labels.state_dict()["names"],
            "before": self._names["names"],
            **{f"weights/{n}": a.copy() for n, a in self._weights.arrays.items()},
            **{f"memory/{n}": a.copy() for n, a in self._memory.items()},
        }

    def load_state_dict(self, state: Mapping[str, Array]) -> None:
        """Raises ``InvalidInput``, and changes nothing, for anything but what :meth:`state_dict` gives."""
        mine = self.state_dict()
        if state.keys() != mine.keys() or any(
            state[n].shape != a.shape or state[n].dtype != a.dtype for n, a in mine.items() if "/" in n
        ):
            raise InvalidInput("enrolment", f"of names {sorted(state)[:3]}", "give what state_dict() gave")
        self.labels.load_state_dict(state)
        self._held = bool(state["held"])
        self._names = {"names": state["before"].copy()}
        self._weights = Copy(_part(state, "weights/"), int(state["steps"]))
        self._memory = _part(state, "memory/")


def _part(state: Mapping[str, Array], prefix: str) -> dict[str, Array]:
    return {n.removeprefix(prefix): a.copy() for n, a in state.items() if n.startswith(prefix)}
