"""What long work has found so far, in a folder: killed at any moment, the same call goes on behind the last piece."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ..artifact import files
from ..errors import InvalidInput

Piece = dict[str, Any]
State = dict[str, torch.Tensor]
UNFINISHED = ".selvedge-"  # files that were being written when something killed it


class Store:
    """Pieces by key, each with a state dict where it has one; in memory where there is no folder. ``kind``: of the
    work, as "search": its settings lie in search.json."""

    def __init__(self, folder: str | Path | None, settings: Mapping[str, Any], kind: str) -> None:
        """Raises ``InvalidInput`` where the folder is of other work, naming the first setting that differs."""
        self._pieces: dict[str, Piece] = {}
        self._states: dict[str, State] = {}
        self.folder = None if folder is None else Path(folder)
        if self.folder is None:
            return
        if self.folder.exists() and not self.folder.is_dir():
            raise InvalidInput("folder", str(self.folder), "it is a file: name a folder")
        about, wanted = self.folder / f"{kind}.json", json.loads(json.dumps(settings))
        if not about.exists():
            if self.folder.exists() and any(not f.name.startswith(UNFINISHED) for f in self.folder.iterdir()):
                raise InvalidInput("folder", str(self.folder), "it holds other things: name an empty or a new one")
            files.write(about, json.dumps(wanted, indent=1).encode())
            return
        try:
            was = json.loads(about.read_text())
        except (OSError, ValueError):
            was = None
        if not isinstance(was, dict):
            raise InvalidInput("folder", str(self.folder), f"{about.name} in it is damaged: name another folder")
        for key in dict.fromkeys([*wanted, *was]):
            if wanted.get(key) != was.get(key):
                fix = f"it is of a {kind} with another {key}: name another folder, or call as then"
                raise InvalidInput("folder", str(self.folder), fix)

    def piece(self, key: str, make: Callable[[], Piece]) -> Piece:
        """What is kept as ``key``, else what ``make`` gives, kept from now on."""
        found = self._read(key)
        if found is None:
            found = json.loads(json.dumps(make()))
            self._keep(key, found)
        return found

    def trained(self, key: str, make: Callable[[], tuple[Piece, State]]) -> tuple[Piece, State]:
        """As :meth:`piece`, with a state dict."""
        found, state = self._read(key), self.state(key)
        if found is None or state is None:
            made, state = make()
            found = json.loads(json.dumps(made))
            self.keep_state(key, state)  # first: a piece says that its state is whole
            self._keep(key, found)
        return found, state

    def _read(self, key: str) -> Piece | None:
        if self.folder is None:
            return self._pieces.get(key)
        try:
            found = json.loads(self._path(key, ".json").read_text())
        except (OSError, ValueError):
            return None
        if not isinstance(found, dict) or found.get("key") != key or not isinstance(found.get("found"), dict):
            return None
        made: Piece = found["found"]
        return made

    def _keep(self, key: str, piece: Piece) -> None:
        if self.folder is None:
            self._pieces[key] = piece
        else:
            files.write(self._path(key, ".json"), json.dumps({"key": key, "found": piece}, indent=1).encode())

    def state(self, key: str) -> State | None:
        """The tensors that are kept as ``key``; None where there are none, or they are damaged."""
        if self.folder is None:
            return self._states.get(key)
        try:
            with np.load(self._path(key, ".npz"), allow_pickle=False) as held:
                return {n: torch.from_numpy(np.array(held[n])) for n in held.files}
        except (OSError, ValueError, EOFError, zipfile.BadZipFile):
            return None

    def keep_state(self, key: str, state: State) -> None:
        """Keep ``state`` as ``key``, in the place of what was kept so: the one or the other is there whole."""
        if self.folder is None:
            self._states[key] = {n: t.detach().clone() for n, t in state.items()}
            return
        held = io.BytesIO()
        np.savez(held, **{n: t.detach().numpy() for n, t in state.items()})  # type: ignore[arg-type]
        files.write(self._path(key, ".npz"), held.getvalue())

    def _path(self, key: str, ending: str) -> Path:
        assert self.folder is not None
        return self.folder / f"{hashlib.sha256(key.encode()).hexdigest()[:24]}{ending}"
