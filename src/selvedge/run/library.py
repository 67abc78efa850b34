"""The compiled programs behind ctypes."""

from __future__ import annotations

import ctypes
import weakref
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import BinaryIO

import numpy as np

OK, NOT_FINITE, BAD_LABEL, STORAGE, TORN, BAD_INDEX = 0, 1, 2, 3, 4, 5

HOOK = ctypes.CFUNCTYPE(None, ctypes.c_int32, ctypes.c_int32)


_PLAIN = (("arena", ctypes.c_void_p), ("weights", ctypes.c_void_p))
_PAGING = (("storage", ctypes.c_void_p), ("torn", ctypes.c_int32))


class _Storage(ctypes.Structure):
    """selvedge_storage of the emitted header."""

    _fields_ = (("read", ctypes.c_void_p), ("write", ctypes.c_void_p), ("context", ctypes.c_void_p))


def _context(paging: bool, checked: bool) -> ctypes.Structure:
    """The emitted NAME_context."""
    fields = [*_PLAIN, *(_PAGING if paging else ()), *((("hook", HOOK),) if checked else ())]
    made: ctypes.Structure = type("_Context", (ctypes.Structure,), {"_fields_": fields})()
    return made


class Library:
    """The functions of one emitted model, bound to one arena and one set of weights."""

    def __init__(
        self,
        path: Path,
        name: str,
        programs: Iterable[str],
        arena: np.ndarray,
        weights: np.ndarray,
        hook: Callable[[int, int], None] | None = None,
        checked: bool = False,
        storage: BinaryIO | None = None,
    ) -> None:
        """storage: an open file that values are paged out to, for a plan that pages."""
        self._dll = ctypes.CDLL(str(path))
        self._arena, self._weights = arena, weights  # kept alive: the context points into them
        self._context = _context(storage is not None, checked)
        if checked:
            self._hook = HOOK(hook) if hook else HOOK()
            self._context.hook = self._hook
        self._file = storage
        if storage is not None:
            weakref.finalize(self, storage.close)
            self._descriptor = ctypes.c_int(storage.fileno())
            calls = (getattr(self._dll, f"selvedge_file_{way}") for way in ("read", "write"))
            self._storage = _Storage(
                *(ctypes.cast(call, ctypes.c_void_p) for call in calls), ctypes.addressof(self._descriptor)
            )
            self._attach = getattr(self._dll, f"{name}_attach")
            self._attach.argtypes, self._attach.restype = (ctypes.c_void_p, ctypes.c_void_p), None
            self._restored = getattr(self._dll, f"{name}_restored")
            self._restored.argtypes, self._restored.restype = (ctypes.c_void_p,), None
        self._init = getattr(self._dll, f"{name}_init")
        self._init.argtypes = (ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p)
        self._init.restype = None
        self._programs = {}
        for program in programs:
            function = getattr(self._dll, f"{name}_{program}")
            function.argtypes = (ctypes.c_void_p,)
            function.restype = ctypes.c_int32
            self._programs[program] = function
        self.address = ctypes.addressof(self._context)

    def init(self) -> None:
        """Trainable state to its initial values."""
        self._init(self.address, self._arena.ctypes.data, self._weights.ctypes.data)
        if self._file is not None:
            self._attach(self.address, ctypes.addressof(self._storage))

    @property
    def torn(self) -> bool:
        """Whether storage failed in the middle of an update, and nothing has been restored since."""
        return self._file is not None and bool(self._context.torn)

    def restored(self) -> None:
        """A good state is back in the arena: after a torn update, programs run again."""
        if self._file is not None:
            self._restored(self.address)

    def call(self, program: str) -> int:
        """Run a program; returns its status."""
        return int(self._programs[program](self.address))

    def pointer(self, program: str) -> int:
        """The address of a program's function."""
        return ctypes.cast(self._programs[program], ctypes.c_void_p).value or 0

    def dll(self) -> ctypes.CDLL:
        return self._dll


def aligned(size: int, alignment: int = 64) -> np.ndarray:
    """``size`` zero bytes whose address is a multiple of ``alignment``."""
    whole = np.zeros(size + alignment, np.uint8)
    start = -whole.ctypes.data % alignment
    return whole[start : start + size]
