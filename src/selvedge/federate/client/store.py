"""What a device keeps between tasks: small, and whole or as it was."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from ...artifact import files
from ...data.archive import npz

Arrays = Mapping[str, npt.NDArray[Any]]


class Store(Protocol):
    def load(self) -> tuple[Mapping[str, Any], Arrays] | None:
        """(head, arrays) as they were saved last; None where nothing was."""
        ...

    def save(self, head: Mapping[str, Any], arrays: Arrays) -> None: ...


class InMemory:
    """Of simulated devices."""

    def __init__(self) -> None:
        self._kept: tuple[Mapping[str, Any], Arrays] | None = None

    def load(self) -> tuple[Mapping[str, Any], Arrays] | None:
        return self._kept

    def save(self, head: Mapping[str, Any], arrays: Arrays) -> None:
        self._kept = head, {n: a.copy() for n, a in arrays.items()}


class InFile:
    """One file, written beside and renamed."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def load(self) -> tuple[Mapping[str, Any], Arrays] | None:
        try:
            data = self._path.read_bytes()
        except FileNotFoundError:
            return None
        with np.load(io.BytesIO(data), allow_pickle=False) as found:
            arrays = {n: found[n] for n in found.files}
        return json.loads(arrays.pop("head").tobytes()), arrays

    def save(self, head: Mapping[str, Any], arrays: Arrays) -> None:
        text = np.frombuffer(json.dumps(dict(head)).encode(), np.uint8)
        files.write(self._path, npz({"head": text, **arrays}))
