"""Samples whose labels come later, or never: the last ones, in so many bytes."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import InvalidInput


class Pending:
    """A ring of samples of one shape, each under a number of its own; the oldest makes room.

    Its bytes are of one array, allocated once: the samples, and 8 B each for its number.
    """

    def __init__(self, capacity_bytes: int, sample_shape: tuple[int, ...], dtype: npt.DTypeLike = np.float32) -> None:
        """Raises ``InvalidInput`` where not even one sample fits."""
        kind = np.dtype(dtype)
        item = int(np.prod(sample_shape, dtype=np.int64)) * kind.itemsize + 8
        self.capacity = capacity_bytes // item
        if self.capacity < 1:
            raise InvalidInput("pending bytes", capacity_bytes, f"one sample needs {item} B: give as many")
        self._samples = np.zeros((self.capacity, *sample_shape), kind)
        self._tickets = np.zeros(self.capacity, np.uint64)  # 0: free
        self._next = 1

    @property
    def bytes(self) -> int:
        return self._samples.nbytes + self._tickets.nbytes

    def __len__(self) -> int:
        return int(np.count_nonzero(self._tickets))

    def keep(self, x: npt.NDArray[Any]) -> int:
        """The number of ``x``, under which :meth:`take` finds it for as long as it is there."""
        ticket = self._next
        slot = ticket % self.capacity
        self._samples[slot], self._tickets[slot] = x, ticket
        self._next += 1
        return ticket

    def take(self, ticket: int) -> npt.NDArray[Any] | None:
        """The sample, which is then no longer held; None where it had to make room or was taken before.

        Raises ``InvalidInput`` for a number that was never given.
        """
        if not isinstance(ticket, int) or not 1 <= ticket < self._next:
            raise InvalidInput("ticket", ticket, "give one that predict_one(x, later=True) gave")
        slot = ticket % self.capacity
        if int(self._tickets[slot]) != ticket:
            return None
        self._tickets[slot] = 0
        return np.array(self._samples[slot])

    def state_dict(self) -> dict[str, npt.NDArray[Any]]:
        return {"samples": self._samples.copy(), "tickets": self._tickets.copy(), "next": np.array(self._next)}

    def load_state_dict(self, state: dict[str, npt.NDArray[Any]]) -> None:
        """Raises ``InvalidInput``, and changes nothing, for anything but what :meth:`state_dict` gives."""
        mine = self.state_dict()
        if state.keys() != mine.keys() or any(
            state[n].shape != a.shape or state[n].dtype != a.dtype for n, a in mine.items()
        ):
            raise InvalidInput("pending", f"of names {sorted(state)}", "give what state_dict() gave")
        self._samples[...], self._tickets[...] = state["samples"], state["tickets"]
        self._next = int(state["next"])
