"""Files that are whole or absent: written under a temporary name, synced, renamed."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import stat
from collections.abc import Callable, Collection, Iterator
from pathlib import Path

from ..errors import InvalidInput


def write(path: Path, data: bytes) -> None:
    """``data`` as ``path``, or nothing at all. A link is followed; what is there and no regular file is refused."""
    _named(path)
    try:
        target = Path(os.path.realpath(path))
        earlier = target.stat() if target.exists() else None
        if earlier is not None and not stat.S_ISREG(earlier.st_mode):
            raise InvalidInput("output", str(path), "it is no regular file: name another place")
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = _beside(target.parent)
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)  # less the umask
    except OSError as error:
        raise unwritable(path, error) from None
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        if earlier is not None:
            os.chmod(temporary, stat.S_IMODE(earlier.st_mode))
        os.replace(temporary, target)
    except OSError as error:
        raise unwritable(path, error) from None
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)


@contextlib.contextmanager
def directory(path: Path, owned: Callable[[Path], Collection[str] | None]) -> Iterator[Path]:
    """A temporary directory beside ``path`` that becomes ``path`` if the block ends well, and vanishes if it does not.

    An earlier ``path`` is replaced only if it is empty or an artifact: ``owned`` gives the names of the files that are
    the artifact's, None where there is none. What a user has put beside them goes along, and is never overwritten. A
    link is followed. A directory that cannot be replaced as a whole (a mount point, the working directory, or one in a
    directory that cannot be written) is filled file by file. Whatever ends this early, the earlier artifact is there.
    """
    _named(path)
    path = Path(os.path.realpath(path))
    temporary = earlier = None
    try:
        mine = _mine(path, owned)
        path.parent.mkdir(parents=True, exist_ok=True)
        within = path.is_dir() and _is_fixed(path)
        temporary = _beside(path if within else path.parent)
        temporary.mkdir()  # its mode is what the umask leaves
        yield temporary
        for file in temporary.rglob("*"):
            if file.name not in mine and (path / file.name).exists():
                raise InvalidInput(
                    "output directory", str(path), f"{file.name} in it is yours: move it, or name another"
                )
            if file.is_file():
                with open(file, "rb") as opened:
                    os.fsync(opened.fileno())
        if within:
            _fill(path, temporary, mine)
        elif path.exists():
            _keep(path, temporary, mine)
            earlier = _beside(path.parent)
            os.replace(path, earlier)
            os.replace(temporary, path)
        else:
            os.replace(temporary, path)
    except OSError as error:
        raise unwritable(path, error) from None
    finally:
        if earlier is not None and earlier.exists() and not path.exists():
            os.replace(earlier, path)
        for folder in (temporary, earlier):
            if folder is not None:
                shutil.rmtree(folder, ignore_errors=True)


def _named(path: Path) -> None:
    if "\0" in str(path):
        raise InvalidInput("output", str(path).replace("\0", "\\0"), "a name has no zero byte: give another")


def _mine(path: Path, owned: Callable[[Path], Collection[str] | None]) -> Collection[str]:
    """The names in ``path`` that may be replaced. Raises ``InvalidInput`` where it is neither empty nor an artifact."""
    if not path.exists():
        return ()
    if not path.is_dir():
        raise InvalidInput("output directory", str(path), "it is a file: name a directory")
    found = owned(path)
    if found is None and any(path.iterdir()):
        raise InvalidInput("output directory", str(path), "it holds other files: name a new or empty directory")
    return found or ()


def _is_fixed(path: Path) -> bool:
    """Whether another directory cannot take the place of ``path``; a shell that stands in it would stay in the old."""
    return path.is_mount() or not os.access(path.parent, os.W_OK) or Path.cwd().is_relative_to(path)


def _beside(folder: Path) -> Path:
    return folder / f".selvedge-{secrets.token_hex(8)}"


def _fill(path: Path, made: Path, mine: Collection[str]) -> None:
    """Move the files of ``made`` into ``path``, manifest.json last, in the place of those that are ``mine``."""
    old = made / ".old"
    old.mkdir()
    new = sorted((f.name for f in made.iterdir() if f != old), key=lambda name: name == "manifest.json")
    placed: list[str] = []
    try:
        for name in sorted(mine, key=lambda name: name != "manifest.json"):
            if (path / name).is_file():
                os.replace(path / name, old / name)
        for name in new:
            placed.append(name)
            os.replace(made / name, path / name)
    except BaseException:
        for name in placed:
            if not (made / name).exists():
                (path / name).unlink(missing_ok=True)
        for file in old.iterdir():
            os.replace(file, path / file.name)
        raise


def _keep(earlier: Path, now: Path, mine: Collection[str]) -> None:
    """Copy what is not ``mine`` from ``earlier``."""
    for entry in earlier.iterdir():
        if entry.name in mine:
            continue
        if entry.is_dir() and not entry.is_symlink():
            shutil.copytree(entry, now / entry.name, symlinks=True)
        else:
            shutil.copy2(entry, now / entry.name, follow_symlinks=False)


def unwritable(path: Path, error: OSError) -> InvalidInput:
    return InvalidInput("output", str(path), f"cannot write there ({error.strerror or error}); name another place")
