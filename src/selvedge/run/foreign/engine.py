"""What a foreign runtime has to do, and which module does it for which target."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Protocol, cast

import numpy as np

from ...artifact.manifest import Manifest
from ...artifact.targets import require
from ...errors import InvalidInput, one_line


class Engine(Protocol):
    """The programs of one artifact, loaded; and its state, wherever the runtime keeps it."""

    def run(self, program: str, given: Mapping[str, np.ndarray]) -> Mapping[str, np.ndarray]:
        """The results of ``program`` for ``given`` inputs, arrays as the manifest's ports are stored.

        A program that updates must not keep its new state yet: :meth:`keep` does, once the loss was looked at. Errors
        of the runtime are ``RuntimeError``.
        """

    def keep(self) -> None:
        """The new state of the last run is the state."""

    def fetch(self, name: str) -> np.ndarray:
        """State ``name`` as the manifest says that it is stored; a copy."""

    def place(self, name: str, array: np.ndarray) -> None:
        """Replace state ``name``."""


def engine(manifest: Manifest, contents: Mapping[str, bytes], state: Mapping[str, np.ndarray]) -> Engine:
    """The engine of the manifest's target. contents: the artifact's files. state: its initial state, as stored.

    Raises :class:`InvalidInput` where the runtime's package is missing, too old or too new, or cannot be imported.
    """
    found = require(manifest.target, to_run=True)
    module = import_module(f".{manifest.target.replace('-', '_')}", __package__)
    try:
        return cast(Engine, module.opened(manifest, contents, state))
    except ImportError as error:  # it is there, and broken: a library of its own is missing, or of another machine
        fix = f"its runtime cannot be imported ({one_line(str(error))[:160]}): {found.install}"
        raise InvalidInput("target", manifest.target, fix) from None
