"""What the devices of a simulation keep between tasks: on the disk, however many they are."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from .client.store import Arrays
from .spill import Place, Spill

ANSWER = "body"  # what a device sent last


class Shelf:
    """Of each device by name a record in one temporary file, which ends with the process: in memory is only where.

    answers: without, what a device sent last is not kept; only in a network that loses and doubles nothing is it
    asked for never again.
    """

    def __init__(self, answers: bool = True) -> None:
        self.answers = answers
        self.spill = Spill()
        self.places: dict[str, Place] = {}

    def of(self, name: str) -> OnShelf:
        """The store of a device."""
        return OnShelf(self, name)

    def lose(self, name: str) -> None:
        """As if the device had never kept anything."""
        place = self.places.pop(name, None)
        if place is not None:
            for of in self._record(place)[1].values():
                self.drop(of)
            self.spill.drop(place)

    def drop(self, of: list[Any]) -> None:
        if of[2] >= 0:
            self.spill.drop(Place(of[2], of[3]))

    def read(self, name: str) -> tuple[dict[str, Any], dict[str, list[Any]]] | None:
        """(head, array -> [dtype, shape, where or -1, its bytes or the one number that it is of])."""
        place = self.places.get(name)
        return None if place is None else self._record(place)

    def write(self, name: str, head: Mapping[str, Any], arrays: Mapping[str, list[Any]]) -> None:
        earlier = self.places.pop(name, None)
        if earlier is not None:
            self.spill.drop(earlier)
        self.places[name] = self.spill.put([json.dumps([dict(head), arrays]).encode()])

    def _record(self, place: Place) -> tuple[dict[str, Any], dict[str, list[Any]]]:
        head, arrays = json.loads(self.spill.get(place)[:])
        return head, arrays


class OnShelf:
    """A store (:class:`.client.store.Store`). Arrays of the last :meth:`load` that are saved again stay where they
    are, under whatever name."""

    def __init__(self, shelf: Shelf, name: str) -> None:
        self._shelf, self._name = shelf, name
        self._out: dict[int, tuple[npt.NDArray[Any], list[Any]]] = {}  # by identity
        self._kept: dict[str, list[Any]] | None = None  # of the last load

    def load(self) -> tuple[Mapping[str, Any], Arrays] | None:
        found = self._shelf.read(self._name)
        if found is None:
            return None
        head, about = found
        arrays = {n: self._array(of) for n, of in about.items()}
        self._out, self._kept = {id(a): (a, about[n]) for n, a in arrays.items()}, about
        return head, arrays

    def save(self, head: Mapping[str, Any], arrays: Arrays) -> None:
        shelf = self._shelf
        kept = {n: self._out[id(a)][1] if id(a) in self._out else None for n, a in arrays.items()}
        found = (None, self._kept) if self._kept is not None else shelf.read(self._name)
        for of in (found[1] if found else {}).values():
            if of not in kept.values():
                shelf.drop(of)  # first, so that what is new lies there
        self._out, self._kept = {}, None
        about = {}
        for name, array in arrays.items():
            if name != ANSWER or shelf.answers:
                about[name] = kept[name] or self._put(array)
        shelf.write(self._name, head, about)

    def _put(self, array: npt.NDArray[Any]) -> list[Any]:
        if array.size and array.ndim == 1 and array.strides == (0,):  # one number, many times
            return [array.dtype.str, array.shape, -1, array[:1].tolist()[0]]
        dense = np.ascontiguousarray(array).reshape(-1)
        place = self._shelf.spill.put([dense.view(np.uint8).data])
        return [array.dtype.str, array.shape, place.at, place.size]

    def _array(self, of: list[Any]) -> npt.NDArray[Any]:
        dtype, shape, at, size = of
        if at < 0:
            return np.broadcast_to(np.dtype(dtype).type(size), shape)
        if not size:
            return np.zeros(shape, dtype)
        return np.frombuffer(self._shelf.spill.get(Place(at, size)), dtype).reshape(shape)
