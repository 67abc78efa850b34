"""Getting a report: the timed plan built and run here, over ssh, or heard on a serial port."""

from __future__ import annotations

import importlib.util
import os
import select
import shutil
import subprocess
import sys
import tempfile
import termios
import time
import tty
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from ..artifact.native import native_port
from ..artifact.toolchain import find_compiler
from ..device import Device
from ..errors import InvalidInput, SelvedgeError, one_line
from ..run.build import FLAGS, BuildFailed, build
from .calibrate_program import Timeable
from .calibrate_report import HEADER, BadReport, ForeignReport, Report, fields, parse

Progress = Callable[[int, int], None]  # blocks done, of
BLOCKS, RUNS = 10, 20
SPEEDS = {9600: termios.B9600, 57600: termios.B57600, 115200: termios.B115200, 230400: termios.B230400}
_MAIN = (
    "import ctypes,sys;main=ctypes.CDLL(sys.argv[1]).main;"
    "sys.exit(main(len(sys.argv)-1,(ctypes.c_char_p*len(sys.argv))(*[a.encode() for a in sys.argv[1:]])))"
)


class RunFailed(SelvedgeError):
    """The timed program did not run to its end."""


def here(plan: Timeable, lanes: int, dtype: str, progress: Progress, cache: Path | None = None) -> Report:
    """Built as sessions are, run in a process of its own. Raises ``NoCompiler``, ``BuildFailed``, ``BadReport``."""
    sources = {**plan.sources, "port_posix.c": native_port("posix")}
    library = build(sources, lanes, dtype, extra=("-DSELVEDGE_CHECK",), cache=cache)
    return _watched([sys.executable, "-c", _MAIN, str(library), str(BLOCKS), str(RUNS)], None, plan, progress)


def over_ssh(plan: Timeable, device: Device, host: str, config: str | None, lanes: int, progress: Progress) -> Report:
    """Cross-built here, run on ``host`` from a temporary directory that is removed. config: a file for ssh -F."""
    ssh = ["ssh", "-o", "BatchMode=yes", *(["-F", config] if config else []), "--", host]
    machine = _output([*ssh, "uname -m"], host).strip()
    with tempfile.TemporaryDirectory(prefix="selvedge-") as folder:
        program = _cross_built(plan, device, machine, lanes, Path(folder))
        script = (
            f'd=$(mktemp -d) && trap \'rm -rf "$d"\' EXIT && cat > "$d/p" && chmod 700 "$d/p" && "$d/p" {BLOCKS} {RUNS}'
        )
        with program.open("rb") as binary:
            return _watched([*ssh, script], binary.fileno(), plan, progress)


def _cross_built(plan: Timeable, device: Device, machine: str, lanes: int, folder: Path) -> Path:
    """By the profile's toolchain if it is installed, else by zig for ``machine``."""
    chain = device.toolchain
    if chain is not None and shutil.which(chain.compiler[0]):
        command = [*chain.compiler, *chain.flags]
    elif importlib.util.find_spec("ziglang") is not None:
        cpu = [f.replace("-", "_").replace("_mcpu", "-mcpu") for f in (chain.flags if chain else ()) if "mcpu=" in f]
        kind = "arm-linux-musleabihf" if machine.startswith("armv7") else f"{machine}-linux-musl"
        command = [sys.executable, "-m", "ziglang", "cc", "-target", kind, *cpu]
    else:
        wanted = chain.compiler[0] if chain else f"a compiler for {machine}"
        raise InvalidInput("toolchain", wanted, "it is not installed: install it, or pip install ziglang")
    for name, text in {**plan.sources, "port_posix.c": native_port("posix")}.items():
        (folder / name).write_text(text)
    units = sorted(name for name in plan.sources if name.endswith(".c"))
    flags = [f for f in FLAGS if f != "-fPIC"]
    flags += ["-DSELVEDGE_CHECK", "-DSV_LINKED", f"-DSV_VECTOR_BYTES={lanes * 4 if lanes > 1 else 0}"]
    build_it = [*command, *flags, *units, "port_posix.c", "-o", "calibrate", "-lm"]
    done = subprocess.run(build_it, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BuildFailed(find_compiler(), done.stderr)
    return folder / "calibrate"


def over_serial(plan: Timeable, port: str, baud: int, timeout: float, progress: Progress) -> Report:
    """The first whole report on ``port``. The board repeats itself, so a damaged one is waited past.

    Raises ``InvalidInput`` for a port that cannot be opened, ``BadReport`` after ``timeout`` seconds without one.
    """
    if baud not in SPEEDS:
        raise InvalidInput("baud", baud, f"choose one of {', '.join(map(str, SPEEDS))}")
    try:
        handle = os.open(port, os.O_RDONLY | os.O_NOCTTY | os.O_NONBLOCK)
    except OSError as error:
        raise InvalidInput(
            "serial port", port, f"cannot open it ({error.strerror}); see /dev/ttyACM*, /dev/ttyUSB*"
        ) from None
    try:
        _configure(handle, port, baud)
        return _heard(_lines(handle, time.monotonic() + timeout), plan, port, progress)
    finally:
        os.close(handle)


def _configure(handle: int, port: str, baud: int) -> None:
    try:
        tty.setraw(handle, termios.TCSANOW)
        modes = termios.tcgetattr(handle)
        modes[4] = modes[5] = SPEEDS[baud]
        termios.tcsetattr(handle, termios.TCSANOW, modes)
    except termios.error:
        raise InvalidInput("serial port", port, "it is no terminal; give a serial device") from None


def _lines(handle: int, until: float) -> Iterator[str]:
    """Lines as they come, until the time is up or the other side hangs up."""
    rest = b""
    while (left := until - time.monotonic()) > 0:
        if not select.select([handle], [], [], min(left, 1.0))[0]:
            continue
        try:
            data = os.read(handle, 4096)
        except BlockingIOError:
            continue
        except OSError:
            return
        if not data:
            return
        *whole, rest = (rest + data).split(b"\n")
        yield from (line.decode("utf-8", "replace") for line in whole)


def _heard(lines: Iterable[str], plan: Timeable, where: str, progress: Progress) -> Report:
    """The first good report among ``lines``; the last reason against a bad one if there is none."""
    reason: BadReport | None = None
    open_: list[str] | None = None
    for line in lines:
        words = line.rpartition("*")[0].split() or [""]
        if words[0] == "failed" and fields(line):
            raise RunFailed(f"{where}: the program was refused with status {words[-1]}; emit it again and reflash")
        if words[0] == "progress" and fields(line):
            progress(int(words[1]), int(words[2]))
        elif words[0] == HEADER:
            open_ = [line]
        elif open_ is not None and line.strip():
            open_.append(line)
            if words[0] == "end":
                try:
                    return parse(open_, plan.digest, plan.kernels)
                except ForeignReport:
                    raise
                except BadReport as error:
                    reason, open_ = error, None
    if reason is not None:
        raise reason
    began = f"a report began but did not end ({len(open_)} lines)" if open_ else "no report came"
    raise BadReport(f"{began} from {where}")


def _watched(command: list[str], given: int | None, plan: Timeable, progress: Progress) -> Report:
    """The report of a process, read as it is printed."""
    try:
        running = subprocess.Popen(
            command, stdin=subprocess.DEVNULL if given is None else given,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, errors="replace",
        )  # fmt: skip
    except OSError as error:
        raise RunFailed(f"{command[0]} does not run ({error.strerror}): install it") from None
    with running:
        assert running.stdout is not None
        assert running.stderr is not None
        lines: list[str] = []
        try:
            for line in running.stdout:
                words = fields(line) or [""]
                if words[0] == "progress":
                    progress(int(words[1]), int(words[2]))
                lines.append(line)
            said = running.stderr.read()
        except BaseException:
            running.kill()
            raise
    if running.returncode:
        raise RunFailed(f"the timed program ended with {running.returncode}: {one_line(said)[-200:] or 'no message'}")
    return _heard(lines, plan, command[0], lambda done, of: None)


def _output(command: list[str], host: str) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    except FileNotFoundError:
        raise RunFailed("ssh is not installed: install an ssh client") from None
    except subprocess.TimeoutExpired:
        raise RunFailed(f"ssh {host}: no answer in a minute") from None
    if done.returncode:
        raise InvalidInput(
            "ssh", host, f"cannot log in ({one_line(done.stderr)[-160:]}); it must work as `ssh {host}` does"
        )
    return done.stdout
