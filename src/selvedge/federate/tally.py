"""A whole number of each of many devices, in as many bytes as name and number have."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, MutableMapping

import numpy as np
import numpy.typing as npt

from .names import names

RECENT = 256  # that are not in order yet


class Tally(MutableMapping[str, int]):
    """Numbers by name: a dictionary whose older entries are two arrays, in the order of the names."""

    def __init__(self, given: Mapping[str, int] | None = None) -> None:
        self._names, self._numbers = names(()), np.zeros(0, np.int64)
        self._recent: dict[str, int] = dict(given or {})
        self._settle()

    def __getitem__(self, name: str) -> int:
        if name in self._recent:
            return self._recent[name]
        place = self._place(name)
        if place is None:
            raise KeyError(name)
        return int(self._numbers[place])

    def __setitem__(self, name: str, number: int) -> None:
        place = self._place(name)
        if place is not None:
            self._numbers[place] = number
        else:
            self._recent[name] = number
            if len(self._recent) > RECENT:
                self._settle()

    def __delitem__(self, name: str) -> None:
        place = self._place(name)
        if place is None:
            del self._recent[name]
        else:
            self._names, self._numbers = np.delete(self._names, place), np.delete(self._numbers, place)

    def __iter__(self) -> Iterator[str]:
        self._settle()
        return (name.decode() for name in self._names)

    def __len__(self) -> int:
        return len(self._names) + len(self._recent)

    def state_dict(self) -> dict[str, npt.NDArray[np.int64] | npt.NDArray[np.uint8]]:
        """numbers: int64, in the order of the names; names: uint8, one behind the other, a zero byte behind each."""
        self._settle()
        text = b"".join(name + b"\0" for name in self._names)
        return {"names": np.frombuffer(text, np.uint8), "numbers": self._numbers.copy()}

    @classmethod
    def of(cls, state: Mapping[str, npt.NDArray[np.generic]]) -> Tally:
        """What :meth:`state_dict` was made of."""
        made = cls()
        made._names = names(n.decode() for n in state["names"].tobytes().split(b"\0")[:-1])
        made._numbers = state["numbers"].astype(np.int64)
        return made

    def _place(self, name: str) -> int | None:
        data = np.bytes_(name.encode())
        place = int(np.searchsorted(self._names, data))
        return place if place < len(self._names) and self._names[place] == data else None

    def _settle(self) -> None:
        if self._recent:
            fresh: Iterable[str] = sorted(self._recent)
            every = np.concatenate([self._names, names(fresh)])
            order = np.argsort(every, kind="stable")
            numbers = np.fromiter((self._recent[n] for n in fresh), np.int64, len(self._recent))
            self._names, self._numbers = every[order], np.concatenate([self._numbers, numbers])[order]
            self._recent = {}
