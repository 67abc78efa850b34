"""Files that are whole or absent: written under a temporary name, synced, renamed."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Callable, Collection, Iterator
from pathlib import Path

from ..errors import InvalidInput


def write(path: Path, data: bytes) -> None:
    """``data`` as ``path``, or nothing at all."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    except OSError as error:
        raise unwritable(path, error) from None
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except OSError as error:
        raise unwritable(path, error) from None
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)


@contextlib.contextmanager
def directory(path: Path, owned: Callable[[Path], Collection[str]]) -> Iterator[Path]:
    """A temporary directory beside ``path`` that becomes ``path`` if the block ends well, and vanishes if it does not.

    An earlier ``path`` is replaced only if it is empty or an artifact (it holds ``manifest.json``). What a user has put
    beside the artifact's own files goes along; ``owned`` gives the names of those that are the artifact's. A link is
    followed. A directory that cannot be replaced as a whole (a mount point, or one in a directory that cannot be
    written) is filled file by file, ``manifest.json`` last: until then it is no artifact.
    """
    path = Path(os.path.realpath(path))
    if path.exists() and not path.is_dir():
        raise InvalidInput("output directory", str(path), "it is a file: name a directory")
    if path.is_dir() and any(path.iterdir()) and not (path / "manifest.json").exists():
        raise InvalidInput("output directory", str(path), "it holds other files: name a new or empty directory")
    temporary = earlier = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        within = path.is_dir() and (path.is_mount() or not os.access(path.parent, os.W_OK))
        temporary = Path(tempfile.mkdtemp(dir=path if within else path.parent, prefix=f".{path.name}."))
        yield temporary
        if within:
            _fill(path, temporary)
            return
        if path.exists():
            _keep(path, temporary, owned(path))
        for file in temporary.rglob("*"):
            if file.is_file():
                with open(file, "rb") as opened:
                    os.fsync(opened.fileno())
        os.chmod(temporary, 0o755)
        if path.exists():
            earlier = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}.old."))
            os.replace(path, earlier)
            try:
                os.replace(temporary, path)
            except BaseException:
                kept, earlier = earlier, None
                os.replace(kept, path)
                raise
        else:
            os.replace(temporary, path)
    except OSError as error:
        raise unwritable(path, error) from None
    finally:
        for folder in (temporary, earlier):
            if folder is not None:
                shutil.rmtree(folder, ignore_errors=True)


def _fill(path: Path, made: Path) -> None:
    """Move the files of ``made`` into ``path``; an artifact that was there stops being one first."""
    (path / "manifest.json").unlink(missing_ok=True)
    for file in sorted(made.iterdir(), key=lambda f: f.name == "manifest.json"):
        with open(file, "rb") as opened:
            os.fsync(opened.fileno())
        os.replace(file, path / file.name)


def _keep(earlier: Path, now: Path, owned: Collection[str]) -> None:
    """Copy what is not ``owned`` from ``earlier``."""
    for entry in earlier.iterdir():
        if entry.name in owned or (now / entry.name).exists():
            continue
        if entry.is_dir() and not entry.is_symlink():
            shutil.copytree(entry, now / entry.name, symlinks=True)
        else:
            shutil.copy2(entry, now / entry.name, follow_symlinks=False)


def unwritable(path: Path, error: OSError) -> InvalidInput:
    return InvalidInput("output", str(path), f"cannot write there ({error.strerror or error}); name another place")
