"""What is finished, on disk: each piece a JSON file, beside it tensors; whole or absent, so that any end is resumed."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ...artifact import files
from ...errors import InvalidInput

SCHEMA = "selvedge.weighing/1"
State = Mapping[str, Tensor]


class Damaged(InvalidInput):
    """A file of the folder cannot be read: no row can say so for the others."""


class Kept:
    """A folder of finished pieces of one comparison, each under a name. ``settings``: what they depend on: a folder of
    other settings is refused."""

    def __init__(self, folder: Path, settings: Mapping[str, Any]) -> None:
        self.folder = folder
        mine = {"schema": SCHEMA, **json.loads(json.dumps(settings))}
        path = folder / "settings.json"
        if folder.exists() and not folder.is_dir():
            raise InvalidInput("work", str(folder), "it is a file: name a folder")
        if not path.exists():
            if folder.exists() and any(folder.iterdir()):
                raise InvalidInput("work", str(folder), "it holds other files: name a new or empty folder")
            files.write(path, (json.dumps(mine, indent=1) + "\n").encode())
            return
        kept = _read(path)
        odd = next((k for k in mine if kept.get(k) != mine[k]), None)
        if odd is not None:
            fix = f"it was begun with {odd} {_short(kept.get(odd))}, not {_short(mine[odd])}: name another folder"
            raise InvalidInput("work", str(folder), fix)

    def path(self, name: str, ending: str) -> Path:
        return self.folder / f"{name}{ending}"

    def get(self, name: str) -> dict[str, Any] | None:
        """The facts of a finished piece; None where it is not finished."""
        path = self.path(name, ".json")
        if not path.exists():
            return None
        found = _read(path)
        if "refused" not in found:
            raise damaged(path, ValueError())
        return found

    def held(self, name: str, ending: str) -> bytes:
        """A file of a finished piece. Raises :class:`Damaged`."""
        path = self.path(name, ending)
        try:
            return path.read_bytes()
        except OSError as error:
            raise damaged(path, error) from None

    def state(self, name: str) -> State:
        """The tensors of a finished piece. Raises :class:`Damaged`."""
        path = self.path(name, ".pt")
        try:
            found = torch.load(io.BytesIO(path.read_bytes()), weights_only=True)
        except Exception as error:  # whatever a damaged file makes torch raise
            raise damaged(path, error) from None
        assert isinstance(found, dict)
        return found

    def put(self, name: str, facts: Mapping[str, Any], state: State | None = None) -> None:
        """Keep a piece: the tensors first, so that where the facts are, all is."""
        if state is not None:
            held = io.BytesIO()
            torch.save({n: t.detach().clone() for n, t in state.items()}, held)
            files.write(self.path(name, ".pt"), held.getvalue())
        files.write(self.path(name, ".json"), (json.dumps(facts, indent=1, allow_nan=False) + "\n").encode())


def _read(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise damaged(path, error) from None
    if not isinstance(found, dict):
        raise InvalidInput("work file", str(path), "it is not one of ours: name another folder")
    return found


def damaged(path: Path, error: Exception) -> Damaged:
    fix = f"it cannot be read ({type(error).__name__}): remove the folder, or name another one"
    return Damaged("work file", str(path), fix)


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 24 else f"{text[:12]}..."
