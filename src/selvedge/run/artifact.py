"""An artifact directory -> a session, after every file in it has been checked against the manifest."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path

import numpy as np

from ..artifact.manifest import Manifest
from ..errors import InvalidInput
from .build import build
from .session import Session

LIMIT = 1 << 30  # no file of an artifact is larger


def load(directory: str | Path, cache: Path | None = None) -> Session:
    """Load and, if this machine has not done so yet, compile an emitted artifact.

    Raises :class:`InvalidInput` where a file is missing, altered or not listed.
    """
    folder = Path(directory)
    try:
        text = (folder / "manifest.json").read_text()
    except (OSError, UnicodeDecodeError) as error:
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
    for needed in ("weights.bin", "extra.npz", f"{manifest.name}.c"):
        if needed not in contents:
            raise InvalidInput("artifact", str(folder), f"{needed} is missing; emit it again")
    sources = {n: data.decode() for n, data in contents.items() if n.endswith((".c", ".h")) and "_weights.h" not in n}
    library = build(sources, manifest.lanes, manifest.dtype, cache=cache)
    with np.load(io.BytesIO(contents["extra.npz"]), allow_pickle=False) as archive:
        extra = {name: archive[name] for name in archive.files}
    return Session(manifest, library, contents["weights.bin"], extra)
