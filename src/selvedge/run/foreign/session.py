"""A session whose programs another runtime runs. No torch, no graph."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import numpy as np

from ...artifact.manifest import Manifest
from ...errors import SelvedgeError, one_line
from ..learning import Learning
from ..ports import NotFinite, Ports
from .engine import Engine


class ForeignSession(Learning):
    """Predicts and learns as :class:`~selvedge.run.session.Session` does; a refused step leaves the state as it was."""

    def __init__(self, manifest: Manifest, engine: Engine, extra: Mapping[str, np.ndarray] | None = None) -> None:
        Ports.__init__(self, manifest)
        self._begin(extra)
        self._engine = engine
        self._given: dict[str, np.ndarray] = {}
        self._made: Mapping[str, np.ndarray] = {}
        self._initial = self._digest()

    @property
    def target(self) -> str:
        """Which runtime it is."""
        return self.manifest.target

    def fingerprint(self) -> str:
        """SHA-256 of the state that this session began with and of the digest of its plan."""
        return self._initial

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.manifest.name} in {self.target}: {self._steps} steps>"

    def _digest(self) -> str:
        made = hashlib.sha256(self.manifest.digest.encode())
        for name in sorted(self.manifest.state):
            made.update(self._engine.fetch(name).tobytes())
        return made.hexdigest()

    def _lay(self, program: str, given: Mapping[str, np.ndarray]) -> None:
        self._given = dict(given)

    def _run(self, program: str) -> None:
        kind = program.partition("_")[0]
        try:
            self._made = self._engine.run(program, self._given)
        except RuntimeError as error:
            raise SelvedgeError(f"{self.target}: {kind} failed: {one_line(str(error))[:300]}{self._looked()}") from None
        outputs = self.manifest.programs[program].outputs
        if kind in ("step", "accumulate", "apply"):
            loss = self._loss(program) if "loss" in outputs else 0.0
            norm = float(self._output(program, "norm").item()) if "norm" in outputs else None
            if not np.isfinite(loss) or (norm is not None and not np.isfinite(norm)):
                raise NotFinite(loss, kind, norm)
            self._engine.keep()

    def _looked(self) -> str:
        """What a runtime mostly fails by once it has taken a program: integers, by which rows are looked up."""
        given = {n: a for n, a in self._given.items() if a.dtype.kind == "i" and a.size and n != "y"}
        told = ", ".join(f"{name} ({array.min()}..{array.max()})" for name, array in given.items())
        return f"; where rows are looked up by {told}: give 0 up to, not including, their number" if told else ""

    def _output(self, program: str, name: str) -> np.ndarray:
        port, array = self.manifest.programs[program].outputs[name], self._made[name]
        return np.array(port.layout.restore(array) if port.layout else array)

    def _fetched(self, name: str) -> np.ndarray:
        return self._engine.fetch(name)

    def _placed(self, name: str, array: np.ndarray) -> None:
        self._engine.place(name, array)

    def _restored(self) -> None:
        """Nothing tears here: new state is kept whole."""
