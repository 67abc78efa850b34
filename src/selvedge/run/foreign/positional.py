"""What engines share whose programs take arrays in an order and give arrays in an order: the state lies here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np

from ...artifact.manifest import Manifest
from ...artifact.signature import FILE, read


class Call(Protocol):
    """A program of the runtime. Errors are ``RuntimeError``."""

    def __call__(self, arrays: Sequence[np.ndarray], shapes: Sequence[tuple[tuple[int, ...], str]]) -> list[np.ndarray]:
        """``arrays``: C-contiguous, in the order of what it takes. ``shapes``: shape and dtype of what it gives."""


class Positional:
    """State in, state out: what a program makes new replaces the state once it is kept."""

    def __init__(
        self,
        manifest: Manifest,
        contents: Mapping[str, bytes],
        state: Mapping[str, np.ndarray],
        calls: Mapping[str, Call],
    ) -> None:
        """calls: a program each. Raises ``ValueError`` where the artifact contradicts itself."""
        self._signatures = read(contents, manifest)
        self._calls = dict(calls)
        self._state = {name: np.array(array, order="C") for name, array in state.items()}
        self._new: dict[str, np.ndarray] = {}
        self._shapes = {}
        for name, program in manifest.programs.items():
            ports = {**{n: (e.shape, e.dtype) for n, e in manifest.state.items()},
                     **{n: (p.shape, p.dtype) for n, p in program.outputs.items()}}  # fmt: skip
            self._shapes[name] = [ports[n] for n in self._signatures[name].gives]

    def run(self, program: str, given: Mapping[str, np.ndarray]) -> Mapping[str, np.ndarray]:
        """See :class:`~.engine.Engine`."""
        signature = self._signatures[program]
        arrays = [np.asarray(given[n] if n in given else self._state[n], order="C") for n in signature.takes]
        made = self._calls[program](arrays, self._shapes[program])
        found = [(array.shape, array.dtype.name) for array in made]
        if found != self._shapes[program]:
            raise RuntimeError(f"its results are not those that {FILE} and the manifest say: emit it again")
        results = dict(zip(signature.gives, made, strict=True))
        self._new = {n: a for n, a in results.items() if n in self._state}
        return results

    def keep(self) -> None:
        """See :class:`~.engine.Engine`."""
        self._state.update(self._new)
        self._new = {}

    def fetch(self, name: str) -> np.ndarray:
        """See :class:`~.engine.Engine`."""
        return self._state[name].copy()

    def place(self, name: str, array: np.ndarray) -> None:
        """See :class:`~.engine.Engine`."""
        self._state[name] = np.array(array, order="C")
