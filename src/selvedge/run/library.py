"""The compiled programs behind ctypes."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np

OK, NOT_FINITE, BAD_LABEL = 0, 1, 2

HOOK = ctypes.CFUNCTYPE(None, ctypes.c_int32, ctypes.c_int32)


class _Context(ctypes.Structure):
    _fields_ = (("arena", ctypes.c_void_p), ("weights", ctypes.c_void_p))


class _CheckedContext(ctypes.Structure):
    _fields_ = (("arena", ctypes.c_void_p), ("weights", ctypes.c_void_p), ("hook", HOOK))


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
    ) -> None:
        self._dll = ctypes.CDLL(str(path))
        self._arena, self._weights = arena, weights  # kept alive: the context points into them
        self._context: _Context | _CheckedContext
        if checked:
            self._hook = HOOK(hook) if hook else HOOK()
            self._context = _CheckedContext(hook=self._hook)
        else:
            self._context = _Context()
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
