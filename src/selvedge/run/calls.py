"""The compiled programs of one model, bound to one arena: inputs in, a call, outputs out."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from ..artifact.manifest import Manifest, Port, StateEntry
from ..artifact.sound import kind_and_size
from ..errors import InvalidInput, SelvedgeError
from .library import BAD_INDEX, BAD_LABEL, NOT_FINITE, OK, STORAGE, TORN, Library, aligned
from .ports import NotFinite, Ports
from .storage import StorageFailed, Torn, opened


class Calls(Ports):
    """``weights``: as many bytes as the manifest says. Raises :class:`InvalidInput` for another number. storage: for a
    plan that pages, the file that it pages out to; by default one without a name."""

    def __init__(
        self, manifest: Manifest, library: Path, weights: bytes | np.ndarray, storage: str | Path | None = None
    ) -> None:
        if len(weights) != manifest.weights_bytes:
            raise InvalidInput("weights", f"{len(weights)} bytes", f"the manifest needs {manifest.weights_bytes}")
        super().__init__(manifest)
        self._weights = aligned(max(1, manifest.weights_bytes))
        self._weights[: len(weights)] = np.frombuffer(weights, np.uint8)
        self._arena = aligned(manifest.arena_bytes, max(64, manifest.alignment))
        paged = opened(storage, manifest.storage_bytes) if manifest.storage_bytes else None
        self._library = Library(library, manifest.name, manifest.programs, self._arena, self._weights, storage=paged)
        self._library.init()

    def _run(self, program: str) -> None:
        kind = kind_and_size(program)[0]
        status = self._library.call(program)
        if status == NOT_FINITE:
            made = self.manifest.programs[program].outputs
            loss = self._loss(program) if "loss" in made else 0.0
            raise NotFinite(loss, kind, float(self._output(program, "norm").item()) if "norm" in made else None)
        if status == BAD_LABEL:
            raise InvalidInput("y", "out of range", "labels must be class indices of the model's output")
        if status == BAD_INDEX:
            fix = "rows are looked up by it: give 0 up to, not including, their number"
            raise InvalidInput("x or y", "with an index out of range", fix)
        if status == STORAGE:
            raise StorageFailed(kind)
        if status == TORN:
            raise Torn
        if status != OK:
            raise SelvedgeError(f"{kind}: status {status} from the native code")

    def _view(self, offset: int, of: Port | StateEntry, weights: bool = False) -> np.ndarray:
        memory = self._weights if weights else self._arena
        return memory[offset : offset + of.bytes].view(of.dtype).reshape(of.shape)

    def _lay(self, program: str, given: Mapping[str, np.ndarray]) -> None:
        """Write the inputs into the arena."""
        for name, array in given.items():
            port = self.manifest.programs[program].inputs[name]
            self._view(port.offset, port)[...] = array

    def _output(self, program: str, name: str) -> np.ndarray:
        port = self.manifest.programs[program].outputs[name]
        view = self._view(port.offset, port)
        return np.array(port.layout.restore(view) if port.layout else view)  # restoring may leave a view of the arena

    def _held(self, name: str) -> np.ndarray:
        """Where state ``name`` lies."""
        entry = self.manifest.state[name]
        return self._view(entry.offset, entry, weights=entry.region == "flash")

    def _fetched(self, name: str) -> np.ndarray:
        return self._held(name).copy()

    def _placed(self, name: str, array: np.ndarray) -> None:
        self._held(name)[...] = array

    @property
    def _torn(self) -> bool:
        return self._library.torn

    def _restored(self) -> None:
        self._library.restored()
