"""A session in as much memory as its budget has: a byte behind that ends the process."""

from __future__ import annotations

import ctypes
import mmap
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from ...artifact.manifest import Manifest
from ...errors import DoesNotFit, InvalidInput
from ...run.build import build
from ...run.library import Library
from ..compile import HostSession, bundled
from ..plan import Plan
from .figures import NAMES, Figures

PAGE = mmap.PAGESIZE
NOTHING, READ_AND_WRITE = 0, 3  # PROT_NONE; PROT_READ | PROT_WRITE


class Walls:
    """``bytes``: ``size`` of them, right before a page that cannot be touched, and with another in front: to the byte
    where ``size`` is a multiple of ``alignment``, else to the last such multiple."""

    def __init__(self, size: int, alignment: int) -> None:
        room = _pages(size)
        self._memory = mmap.mmap(-1, room + 2 * PAGE)
        self._begin = ctypes.addressof(ctypes.c_char.from_buffer(self._memory))
        self._room = self._begin + PAGE, self._begin + PAGE + room
        start = (self._room[1] - size) // alignment * alignment
        self.bytes = np.frombuffer(self._memory, np.uint8, size, start - self._begin)
        self._protect(self._begin, PAGE, NOTHING)
        self._protect(self._room[1], PAGE, NOTHING)

    @contextmanager
    def only(self, size: int) -> Iterator[None]:
        """The first ``size`` bytes alone, and what is left of their last page."""
        start = self.bytes.ctypes.data
        behind = self._begin + _pages(start + size - self._begin)
        left = max(0, self._room[1] - behind)
        self._protect(behind, left, NOTHING)
        try:
            yield
        finally:
            self._protect(behind, left, READ_AND_WRITE)

    def _protect(self, address: int, size: int, how: int) -> None:
        if size and _mprotect(ctypes.c_void_p(address), ctypes.c_size_t(size), how):
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), "mprotect")


class WalledSession(HostSession):
    """Learns in ``train`` bytes, and predicts in the first ``run`` of them: the rest of the memory is not there."""

    def __init__(
        self, manifest: Manifest, library: Path, weights: bytes, extra: Mapping[str, np.ndarray], run: int, train: int
    ) -> None:
        super().__init__(manifest, library, weights, extra)
        self._run_bytes = run
        self._walls = Walls(train, max(64, manifest.alignment))
        self._arena = self._walls.bytes
        self._library = Library(library, manifest.name, manifest.programs, self._arena, self._weights)
        self._library.init()

    def predict(self, x: Any) -> Any:
        with self._lock, self._walls.only(self._run_bytes):
            return super().predict(x)


def walled(plan: Plan, run: int, train: int) -> WalledSession:
    """Compiled code of ``plan`` in memory of exactly ``train`` bytes, of which it predicts in the first ``run``: what
    has learned, and the transient of ``predict``.

    The bytes behind them are protected while the code runs, to the page; a program that touched one would end the
    process, as it would end a microcontroller's. Raises ``DoesNotFit`` for fewer bytes than the plan needs.
    """
    if plan.arrangement.memory.storage:
        raise InvalidInput("plan", "paging to storage", "give one that keeps everything in RAM")
    figures = Figures.of(plan)
    for name, need, have in (("run", figures.run_bytes, run), ("train", figures.train_bytes, train)):
        if need > have:
            raise DoesNotFit(NAMES[name], need, have)
    made = bundled(plan)
    library = build(made.sources, plan.arrangement.lanes, plan.arrangement.dtype)
    return WalledSession(made.manifest, library, made.weights, made.extra, min(run, train), train)


def _pages(size: int) -> int:
    """The bytes of as many whole pages as hold ``size``."""
    return -(-size // PAGE) * PAGE


_mprotect = ctypes.CDLL(None, use_errno=True).mprotect
_mprotect.argtypes, _mprotect.restype = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int), ctypes.c_int
