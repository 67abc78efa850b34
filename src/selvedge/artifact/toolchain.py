"""Finding a C compiler for the machine this runs on: the system's, else the ``ziglang`` wheel's."""

from __future__ import annotations

import shutil
import subprocess
import sys
from dataclasses import dataclass
from typing import Literal

from selvedge.errors import SelvedgeError

SYSTEM = ("cc", "gcc", "clang")


class NoCompiler(SelvedgeError):
    """No C compiler was found."""

    def __init__(self) -> None:
        super().__init__(
            f"C compiler: none of {', '.join(SYSTEM)} runs here: install one (Debian: apt install gcc), or "
            "`pip install ziglang`"
        )


@dataclass(frozen=True, slots=True)
class Compiler:
    """A C compiler: the start of its command line, its family, and the first line of its ``--version``."""

    command: tuple[str, ...]
    kind: Literal["gcc", "clang", "zig"]
    version: str

    def __str__(self) -> str:
        return f"{' '.join(self.command)} ({self.version})"


def find_compiler(path: str | None = None, python: str = sys.executable) -> Compiler:
    """The first of cc, gcc and clang on ``path`` that runs, else ``python -m ziglang cc``.

    ``path``: directories to search, as in PATH, which is the default. Raises :class:`NoCompiler`.
    """
    for name in SYSTEM:
        program = shutil.which(name, path=path)
        version = _version((program,)) if program else None
        if program and version:
            # Both families name themselves as they were started ("cc ..."); only clang says clang.
            return Compiler((program,), "clang" if "clang" in version else "gcc", version)
    zig = (python, "-m", "ziglang", "cc")
    version = _version(zig)
    if version:
        return Compiler(zig, "zig", version)
    raise NoCompiler


def _version(command: tuple[str, ...]) -> str | None:
    """The first line that ``--version`` prints, or None if the command does not run."""
    try:
        done = subprocess.run([*command, "--version"], capture_output=True, text=True, timeout=60, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.partition("\n")[0].strip() or None
