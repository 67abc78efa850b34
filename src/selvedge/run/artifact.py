"""An artifact directory -> a session, after every file in it has been checked against the manifest."""

from __future__ import annotations

import hashlib
import io
import warnings
from collections.abc import Mapping
from os import PathLike
from pathlib import Path

import numpy as np

from ..artifact import face
from ..artifact.manifest import Manifest
from ..artifact.sound import require_complete
from ..errors import InvalidInput, SelvedgeError
from .build import build, cache_path
from .session import Session

LIMIT = 1 << 30  # no file of an artifact is larger


def load(directory: object, cache: str | Path | None = None, storage: str | Path | None = None) -> Session:
    """Load and, if this machine has not done so yet, compile an emitted artifact. storage: the file that a plan that
    pages keeps values in; by default one without a name.

    Raises :class:`InvalidInput` where a file is missing, altered or not listed.
    """
    if not isinstance(directory, str | PathLike):
        fix = "give a directory that selvedge.emit has written"
        raise InvalidInput("artifact", f"of type {type(directory).__name__}", fix)
    folder, cache = Path(directory), cache_path(cache)
    try:
        text = (folder / "manifest.json").read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        fix = f"its manifest.json cannot be read ({reason}): give a directory that selvedge.emit has written"
        raise InvalidInput("artifact", str(folder), fix) from None
    manifest = Manifest.from_json(text, str(folder))
    contents: dict[str, bytes] = {}
    for name, expected in manifest.files.items():
        path = folder / name
        if Path(name).name != name or name == "..":
            raise InvalidInput("artifact file", name, "files lie in the artifact's own directory")
        try:
            if path.stat().st_size > LIMIT:
                raise InvalidInput("artifact file", str(path), "larger than 1 GiB: not an artifact of ours")
            contents[name] = path.read_bytes()
        except OSError as error:
            raise InvalidInput("artifact file", str(path), f"cannot be read ({error.strerror})") from None
        if hashlib.sha256(contents[name]).hexdigest() != expected:
            raise InvalidInput("artifact file", str(path), "it does not match its hash in the manifest; emit it again")
    for needed in ("weights.bin", "extra.npz", f"{manifest.name}.c", f"{manifest.name}.h", "linked.c"):
        if needed not in contents:
            raise InvalidInput("artifact", str(folder), f"{needed} is missing; emit it again")
    try:
        return _session(manifest, contents, cache, storage)
    except (ValueError, KeyError, TypeError, IndexError) as error:
        if isinstance(error, SelvedgeError):
            raise
        raise InvalidInput("artifact", str(folder), f"it contradicts itself ({error}); emit it again") from None


def _session(
    manifest: Manifest, contents: Mapping[str, bytes], cache: Path | None, storage: str | Path | None
) -> Session:
    sources = {n: data.decode() for n, data in contents.items() if n.endswith((".c", ".h")) and "_weights.h" not in n}
    odd = face.differs(manifest, sources[f"{manifest.name}.h"], sources[f"{manifest.name}.c"])
    if odd is not None:
        raise ValueError(f"the manifest and the C differ in {odd}")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        extra = _arrays(contents["extra.npz"])
    require_complete(manifest, extra)
    library = build(sources, manifest.lanes, manifest.dtype, cache=cache)
    session = Session(manifest, library, contents["weights.bin"], extra, storage)
    with np.errstate(all="ignore"):
        session.state_dict()  # what the names, layouts and folds say can be done
    return session


def _arrays(data: bytes) -> dict[str, np.ndarray]:
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except Exception as error:  # of a broken archive numpy and zipfile raise nearly anything
        raise ValueError(f"extra.npz cannot be read: {error}") from None
