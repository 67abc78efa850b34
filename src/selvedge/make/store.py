"""What long work has found so far, in a folder: killed at any moment, the same call goes on behind the last piece."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import zipfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from .. import __version__
from ..artifact import files
from ..data.archive import npz
from ..errors import InvalidInput
from .begun import about, begun

Piece = dict[str, Any]
State = dict[str, torch.Tensor]
STATE = ".npz"
SHORT = 24  # characters of a setting that is told


class Store:
    """Pieces by key: facts in JSON, with a state dict and other files beside them where a piece has such; in memory
    where there is no folder. A piece that is not whole any more is as one that was never there.

    ``kind``: of the work, as "search": its settings lie in search.json. ``field``: what the caller calls the folder.
    """

    def __init__(
        self, folder: str | Path | None, settings: Mapping[str, Any], kind: str, field: str = "folder"
    ) -> None:
        """Raises ``InvalidInput`` where the folder is of other work, naming the first setting that differs."""
        self._pieces: dict[str, Piece] = {}
        self._states: dict[str, State] = {}
        self.folder = None if folder is None else Path(folder)
        if self.folder is None:
            return
        wanted = json.loads(json.dumps({"selvedge": __version__, **settings}))
        if not begun(field, self.folder, kind):
            files.write(about(self.folder, kind), _text(wanted))
            return
        was = _read(about(self.folder, kind))
        if was is None:
            raise InvalidInput(field, str(self.folder), f"{kind}.json in it is damaged: name another folder")
        for key in dict.fromkeys([*wanted, *was]):
            if wanted.get(key) != was.get(key):
                differs = _differing(key, was.get(key), wanted.get(key))
                raise InvalidInput(
                    field, str(self.folder), f"it is of a {kind} with {differs}: name another folder, or call as then"
                )

    def piece(self, key: str, make: Callable[[], Piece]) -> Piece:
        """What is kept as ``key``, else what ``make`` gives, kept from now on."""
        found = self.get(key)
        return self.put(key, make()) if found is None else found

    def trained(self, key: str, make: Callable[[], tuple[Piece, State]]) -> tuple[Piece, State]:
        """As :meth:`piece`, with a state dict."""
        found, state = self.get(key), self.state(key)
        if found is None or state is None:
            made, state = make()
            found = self.put(key, made, state)
        return found, state

    def get(self, key: str) -> Piece | None:
        """The facts of a finished piece; None where it is not finished, or it or a file of it is damaged."""
        if self.folder is None:
            return self._pieces.get(key)
        held = _read(self.path(key, ".json"))
        if held is None or held.get("key") != key or not isinstance(held.get("beside"), dict):
            return None
        if any(self._digest(key, ending) != digest for ending, digest in held["beside"].items()):
            return None
        found = held.get("found")
        return found if isinstance(found, dict) else None

    def put(self, key: str, facts: Mapping[str, Any], state: State | None = None, beside: Sequence[str] = ()) -> Piece:
        """Keep a piece, and give its facts as they will be read. ``beside``: endings of the files and folders that
        were written under :meth:`path`: with the tensors they are there before the facts, which say what they are."""
        made: Piece = json.loads(json.dumps(facts))
        if state is not None:
            self.keep_state(key, state)
        if self.folder is None:
            self._pieces[key] = made
            return made
        endings = [*beside, *([] if state is None else [STATE])]
        digests = {ending: self._digest(key, ending) for ending in endings}
        files.write(self.path(key, ".json"), _text({"key": key, "found": made, "beside": digests}))
        return made

    def state(self, key: str) -> State | None:
        """The tensors that are kept as ``key``; None where there are none, or they are damaged."""
        if self.folder is None:
            return self._states.get(key)
        try:
            with np.load(self.path(key, STATE), allow_pickle=False) as held:
                return {n: torch.from_numpy(np.array(held[n])) for n in held.files}
        except (OSError, ValueError, EOFError, zipfile.BadZipFile):
            return None

    def keep_state(self, key: str, state: State) -> None:
        """Keep ``state`` as ``key``, in the place of what was kept so: the one or the other is there whole."""
        if self.folder is None:
            self._states[key] = {n: t.detach().clone() for n, t in state.items()}
            return
        files.write(self.path(key, STATE), npz({name: tensor.detach().numpy() for name, tensor in state.items()}))

    def path(self, key: str, ending: str) -> Path:
        """Of a file of piece ``key``: its name begins as the key does."""
        assert self.folder is not None
        words = re.sub(r"[^\w.+-]+", "-", key, flags=re.ASCII).strip("-.")[:40]
        return self.folder / f"{words}-{hashlib.sha256(key.encode()).hexdigest()[:12]}{ending}"

    def fresh(self, key: str, ending: str) -> Path:
        """:meth:`path`, where nothing lies any more: what did is damaged, or was not finished."""
        found = self.path(key, ending)
        if found.is_dir():
            shutil.rmtree(found)
        else:
            found.unlink(missing_ok=True)
        return found

    def _digest(self, key: str, ending: str) -> str | None:
        """Of a file, or of all in a folder; None where it cannot be read."""
        at = self.path(key, ending)
        made = hashlib.sha256()
        try:
            for part in sorted(p for p in at.rglob("*") if p.is_file()) if at.is_dir() else [at]:
                made.update(f"{part.relative_to(at)}\0".encode())
                made.update(hashlib.sha256(part.read_bytes()).digest())
        except OSError:
            return None
        return made.hexdigest()


def _text(value: Mapping[str, Any]) -> bytes:
    return (json.dumps(value, indent=1) + "\n").encode()


def _read(path: Path) -> dict[str, Any] | None:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def _differing(key: str, was: Any, now: Any) -> str:
    """In words; what is long, as a digest, is not told, nor what is not there."""
    told = None not in (was, now) and all(len(str(v)) <= SHORT for v in (was, now))
    return f"{key} {was}, not {now}" if told else f"another {key}"
