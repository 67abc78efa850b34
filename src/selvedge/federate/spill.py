"""Bytes that wait in a temporary file, so that what a simulation has of thousands of devices is not in memory."""

from __future__ import annotations

import mmap
import os
import tempfile
import threading
import weakref
from collections.abc import Sequence
from typing import NamedTuple

from ..errors import InvalidInput

PAGE = mmap.ALLOCATIONGRANULARITY
MAPPED = 1 << 20  # bytes from which on what is read is mapped and not copied


class Place(NamedTuple):
    at: int
    size: int


class Spill:
    """What was put is there until it is dropped, at most until the process ends; of the same place any thread may read
    while others put. The file has no name and is never synced: it lies in ``TMPDIR``."""

    def __init__(self) -> None:
        try:
            self._file, path = tempfile.mkstemp(prefix="selvedge-")
            os.unlink(path)
        except OSError as error:
            fix = f"no file can be made there ({error.strerror}): name another folder"
            raise InvalidInput("TMPDIR", tempfile.gettempdir(), fix) from None
        weakref.finalize(self, os.close, self._file)
        self._lock = threading.Lock()
        self._free: dict[int, list[int]] = {}  # by how many pages
        self.end = 0  # bytes of the file

    def put(self, parts: Sequence[bytes | memoryview]) -> Place:
        size = sum(map(len, parts))
        pages = -(-size // PAGE)
        with self._lock:
            free = self._free.get(pages)
            if free:
                at = free.pop()
            else:
                at, self.end = self.end, self.end + pages * PAGE
        try:
            done = os.pwritev(self._file, parts, at) if size else 0
            if done < size:  # a signal, or more than one call takes
                rest = memoryview(b"".join(parts))
                while done < size:
                    done += os.pwrite(self._file, rest[done:], at + done)
        except OSError as error:
            fix = f"{size:,} B of what devices keep cannot be written there ({error.strerror}): name a folder with room"
            raise InvalidInput("TMPDIR", tempfile.gettempdir(), fix) from None
        return Place(at, size)

    def get(self, place: Place) -> bytes | mmap.mmap:
        """The bytes; of many, a view of them that holds until they are dropped."""
        if place.size >= MAPPED:
            return mmap.mmap(self._file, place.size, access=mmap.ACCESS_READ, offset=place.at)
        return os.pread(self._file, place.size, place.at)

    def drop(self, place: Place) -> None:
        with self._lock:
            self._free.setdefault(-(-place.size // PAGE), []).append(place.at)
