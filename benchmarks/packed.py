"""Files inside an archive."""

from __future__ import annotations

import tarfile


def read(archive: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    """What ``member``, a file, holds. Raises ``ValueError`` for a folder or a device."""
    file = archive.extractfile(member)
    if file is None:
        raise ValueError(f"{member.name} is no file")
    return file.read()
