"""LiteRT for Microcontrollers: its interpreter on this machine, in an arena of a fixed size as on a board."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from ...artifact.manifest import Manifest
from ...errors import InvalidInput, one_line
from .said import said

IDENTIFIER = b"TFL3"
MOST = 1 << 28  # bytes of the arena that is tried


def opened(manifest: Manifest, contents: Mapping[str, bytes], state: Mapping[str, np.ndarray]) -> Micro:
    """Raises :class:`InvalidInput` for a file that it does not take: with its own words, as of an operator it lacks."""
    (entry,) = manifest.programs.values()
    if contents[entry.file][4:8] != IDENTIFIER:  # it does not look itself
        raise InvalidInput("artifact file", entry.file, "it is no .tflite file: emit it again")
    return Micro(entry.file, contents[entry.file], tuple(entry.inputs), tuple(entry.outputs))


class Micro:
    """One program without state. ``inputs``, ``outputs``: names, in the file's order."""

    def __init__(self, file: str, model: bytes, inputs: tuple[str, ...], outputs: tuple[str, ...]) -> None:
        from tflite_micro import runtime

        self._inputs, self._outputs = inputs, outputs
        with said() as heard:
            try:
                self._interpreter: Any = runtime.Interpreter.from_bytes(
                    model, arena_size=min(MOST, 64 * len(model) + (1 << 22))
                )
            except Exception as error:
                self._interpreter, failed = None, error
        if self._interpreter is None:
            told = one_line(f"{heard()} {failed}").strip()[:300]
            raise InvalidInput("artifact file", file, f"LiteRT for Microcontrollers refuses it: {told}")

    def run(self, program: str, given: Mapping[str, np.ndarray]) -> Mapping[str, np.ndarray]:
        with said() as heard:
            try:
                for i, name in enumerate(self._inputs):
                    self._interpreter.set_input(np.ascontiguousarray(given[name]), i)
                self._interpreter.invoke()
                made = {name: np.array(self._interpreter.get_output(i)) for i, name in enumerate(self._outputs)}
            except Exception as error:
                failed: Exception | None = error
            else:
                failed = None
        if failed is not None:
            raise RuntimeError(one_line(f"{heard()} {failed}").strip()[:200])
        return made

    @property
    def arena_bytes(self) -> int:
        """What its allocator has taken of the arena: of all, once it has run."""
        with said() as heard:
            self._interpreter.print_allocations()
        found = re.search(r"Arena allocation total (\d+) bytes", heard())
        if found is None:
            raise RuntimeError("LiteRT for Microcontrollers does not say how much of its arena it uses")
        return int(found[1])

    def keep(self) -> None:
        """There is no state."""

    def fetch(self, name: str) -> np.ndarray:
        raise KeyError(name)

    def place(self, name: str, array: np.ndarray) -> None:
        raise KeyError(name)
