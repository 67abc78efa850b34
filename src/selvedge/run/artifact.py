"""An artifact directory -> a session, after every file in it has been checked against the manifest."""

from __future__ import annotations

import hashlib
import io
import warnings
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..artifact import face
from ..artifact.manifest import Manifest
from ..artifact.sound import require_complete
from ..errors import InvalidInput, SelvedgeError
from .build import build, cache_path
from .learning import Learning
from .session import Session

if TYPE_CHECKING:
    from .foreign.session import ForeignSession

LIMIT = 1 << 30  # no file of an artifact is larger


def load(directory: object, cache: str | Path | None = None, storage: str | Path | None = None) -> Learning:
    """Load and, if this machine has not done so yet, compile an emitted artifact; one for another runtime is run by
    that, where it is installed. cache: where that which is compiled of the C target lies. storage: the file that a plan
    that pages keeps values in; by default one without a name.

    An artifact is a program: load it only from whom you would run one. The hashes tell damage, not who has made it.

    Raises :class:`InvalidInput` where a file is missing, altered or not listed, and where the runtime is missing.
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
    for needed in _needed(manifest):
        if needed not in contents:
            raise InvalidInput("artifact", str(folder), f"{needed} is missing; emit it again")
    try:
        if manifest.target != "c":
            return _foreign(manifest, contents)
        return _session(manifest, contents, cache, storage)
    except (ValueError, KeyError, TypeError, IndexError) as error:
        if isinstance(error, SelvedgeError):
            raise
        raise InvalidInput("artifact", str(folder), f"it contradicts itself ({error}); emit it again") from None


def load_native(directory: object) -> Session:
    """:func:`load`, of an artifact of the C target alone: what lives on a device or in a federation counts the bytes of
    its arena."""
    session = load(directory)
    if not isinstance(session, Session):
        fix = "this runs our own code alone: emit it for target c"
        raise InvalidInput("artifact target", session.manifest.target, fix)
    return session


def _session(
    manifest: Manifest, contents: Mapping[str, bytes], cache: Path | None, storage: str | Path | None
) -> Session:
    sources = {n: data.decode() for n, data in contents.items() if n.endswith((".c", ".h")) and "_weights.h" not in n}
    odd = face.differs(manifest, sources[f"{manifest.name}.h"], sources[f"{manifest.name}.c"])
    if odd is not None:
        raise ValueError(f"the manifest and the C differ in {odd}")
    extra = _arrays(contents, "extra.npz")
    require_complete(manifest, extra)
    library = build(sources, manifest.lanes, manifest.dtype, cache=cache)
    session = Session(manifest, library, contents["weights.bin"], extra, storage)
    with np.errstate(all="ignore"):
        session.state_dict()  # what the names, layouts and folds say can be done
    return session


def _needed(manifest: Manifest) -> tuple[str, ...]:
    if manifest.target != "c":
        return "state.npz", "extra.npz", *dict.fromkeys(p.file for p in manifest.programs.values())
    return "weights.bin", "extra.npz", f"{manifest.name}.c", f"{manifest.name}.h", "linked.c"


def _foreign(manifest: Manifest, contents: Mapping[str, bytes]) -> ForeignSession:
    # Here: a device of our own code is to have the memory.
    from .foreign.engine import engine
    from .foreign.session import ForeignSession

    state, extra = _arrays(contents, "state.npz"), _arrays(contents, "extra.npz")
    if set(state) != set(manifest.state):
        raise ValueError(f"the manifest and state.npz differ in {sorted(set(state) ^ set(manifest.state))[0]}")
    for name, entry in manifest.state.items():
        if state[name].shape != entry.shape or state[name].dtype.name != entry.dtype:
            raise ValueError(f"{name} in state.npz is {state[name].dtype.name}{list(state[name].shape)}")
    require_complete(manifest, extra)
    session = ForeignSession(manifest, engine(manifest, contents, state), extra)
    with np.errstate(all="ignore"):
        session.state_dict()
    return session


def _arrays(contents: Mapping[str, bytes], name: str) -> dict[str, np.ndarray]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with np.load(io.BytesIO(contents[name]), allow_pickle=False) as archive:
                return {name: archive[name] for name in archive.files}
    except Exception as error:  # of a broken archive numpy and zipfile raise nearly anything
        raise ValueError(f"{name} cannot be read: {error}") from None
