"""The command line as a user runs it: a process of its own, what it prints, and its exit code."""

from __future__ import annotations

import multiprocessing
import os
import resource
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # typer's use of click
    from selvedge.face.cli import main

# Importing torch takes longer than most of what is tested: one process imports it, and every command is a fork of it.
_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(["tests.face.warm"])


@dataclass(frozen=True)
class Result:
    """Exit code and what was printed."""

    code: int | None
    out: str
    err: str


class Process:
    """A command that runs. ``pid``: its process, which may be sent signals."""

    def __init__(self, arguments: tuple[str, ...], cwd: Path, largest_file: int | None) -> None:
        self._folder = tempfile.TemporaryDirectory()
        self._out, self._err = Path(self._folder.name, "out"), Path(self._folder.name, "err")
        given = (arguments, str(cwd), str(self._out), str(self._err), largest_file)
        self._process = _FORKS.Process(target=_main, args=given)
        self._process.start()

    @property
    def pid(self) -> int:
        assert self._process.pid is not None
        return self._process.pid

    def running(self) -> bool:
        return self._process.is_alive()

    def result(self) -> Result:
        """Wait for its end, two minutes at most."""
        self._process.join(120)
        if self._process.exitcode is None:
            self._process.kill()
            self._process.join()
        code = self._process.exitcode
        self._process.close()
        with self._folder:
            return Result(code, *(p.read_text() if p.exists() else "" for p in (self._out, self._err)))


def start(*arguments: str, cwd: Path) -> Process:
    """``selvedge ARGUMENTS`` in ``cwd``, not waited for."""
    return Process(arguments, cwd, None)


def run(*arguments: str, cwd: Path, largest_file: int | None = None) -> Result:
    """``selvedge ARGUMENTS`` in ``cwd``. ``largest_file``: bytes, after which writing a file fails."""
    return Process(arguments, cwd, largest_file).result()


def fresh(*arguments: str, cwd: Path, env: Mapping[str, str] | None = None) -> Result:
    """The same from the very start of the interpreter."""
    done = subprocess.run(
        [sys.executable, "-m", "selvedge", *arguments],
        cwd=cwd,
        env={**os.environ, **(env or {})},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return Result(done.returncode, done.stdout, done.stderr)


def _main(arguments: tuple[str, ...], cwd: str, out: str, err: str, largest_file: int | None) -> None:
    for number, path in ((1, out), (2, err)):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT), number)
    os.chdir(cwd)
    if largest_file is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (largest_file, largest_file))
    main(arguments)
