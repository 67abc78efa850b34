"""Who may take part, however many they are: names and keys lie in a file, and a few bytes of each in memory."""

from __future__ import annotations

import hashlib
import os
import tempfile
import weakref
from array import array
from collections.abc import Iterable, Iterator, Mapping

import numpy as np

from ..errors import InvalidInput
from .keys import PUBLIC

MARK = 8  # bytes of a name's digest
AT_ONCE = 1024  # devices that are written or read together


class Roster(Mapping[str, bytes]):
    """By name the public key of each device, in a temporary file that ends with the process: in memory are 20 bytes of
    each. A name and its key are read where somebody asks for that key; whether a name is there is told by 64 bits of
    its BLAKE2b."""

    def __init__(self, devices: Iterable[tuple[str, bytes]]) -> None:
        """Raises ``InvalidInput`` for a name that is there twice, a key that is none, and a folder without room."""
        self._file, path = tempfile.mkstemp(prefix="selvedge-")
        os.unlink(path)
        weakref.finalize(self, os.close, self._file)
        marks, sizes, end = array("Q"), array("L"), 0
        for part in _together(devices):
            text = bytearray()
            for name, key in part:
                if len(key) != PUBLIC:
                    raise InvalidInput(f"key of {name}", f"of {len(key)} bytes", f"a public key has {PUBLIC}")
                data = name.encode()
                text += data + key
                marks.append(_mark(data))
                sizes.append(len(data) + PUBLIC)
            self._write(bytes(text), end)
            end += len(text)
        found = np.frombuffer(marks, np.uint64)
        self._order = np.argsort(found, kind="stable").astype(np.uint32)  # the place in the file of each mark
        self._marks = found[self._order]
        self._ends = np.cumsum(np.frombuffer(sizes, f"u{sizes.itemsize}"), dtype=np.int64)
        same = np.flatnonzero(self._marks[1:] == self._marks[:-1])
        if len(same):
            raise InvalidInput("device", self._at(int(self._order[same[0]]))[0], "it is there twice: name each once")

    def __getitem__(self, name: str) -> bytes:
        place = self._place(name)
        if place is not None:
            found, key = self._at(int(self._order[place]))
            if found == name:
                return key
        raise KeyError(name)

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and self._place(name) is not None

    def __iter__(self) -> Iterator[str]:
        return (self._at(i)[0] for i in range(len(self)))

    def __len__(self) -> int:
        return len(self._marks)

    def _place(self, name: str) -> int | None:
        mark = np.uint64(_mark(name.encode()))
        place = int(np.searchsorted(self._marks, mark))
        return place if place < len(self._marks) and self._marks[place] == mark else None

    def _at(self, i: int) -> tuple[str, bytes]:
        start, end = int(self._ends[i - 1]) if i else 0, int(self._ends[i])
        data = os.pread(self._file, end - start, start)
        return data[:-PUBLIC].decode(), data[-PUBLIC:]

    def _write(self, data: bytes, at: int) -> None:
        try:
            while data:
                done = os.pwrite(self._file, data, at)
                data, at = data[done:], at + done
        except OSError as error:
            fix = f"names of devices cannot be written there ({error.strerror}): name a folder with room"
            raise InvalidInput("TMPDIR", tempfile.gettempdir(), fix) from None


def _mark(name: bytes) -> int:
    return int.from_bytes(hashlib.blake2b(name, digest_size=MARK).digest(), "little")


def _together(devices: Iterable[tuple[str, bytes]]) -> Iterator[list[tuple[str, bytes]]]:
    part = []
    for pair in devices:
        part.append(pair)
        if len(part) == AT_ONCE:
            yield part
            part = []
    if part:
        yield part
