"""Files of a tar archive."""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from pathlib import Path


def members(archive: Path, part: str) -> Iterator[tuple[str, bytes]]:
    """(name, contents) of every file with ``part`` in its name, by name."""
    with tarfile.open(archive) as files:
        for entry in sorted((f for f in files if part in f.name), key=lambda f: f.name):
            held = files.extractfile(entry)
            if held is not None:
                yield entry.name, held.read()
