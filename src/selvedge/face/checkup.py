"""What is installed, what is missing, and the line that installs it."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ..artifact.toolchain import NoCompiler, find_compiler
from ..data.memory import available
from ..device.sizes import format_bytes
from ..errors import SelvedgeError
from ..run.build import build, default_cache


@dataclass(frozen=True, slots=True)
class Check:
    """``needed``: without it nothing works here. ``purpose``: what it serves. ``install``: "pip", "apt", "brew" (macOS)
    -> the line."""

    name: str
    ok: bool
    found: str
    purpose: str
    needed: bool = False
    install: Mapping[str, str] = field(default_factory=dict)


def checkup(path: str | None = None) -> list[Check]:
    """Look at this machine. path: where programs are searched, as in PATH, which is the default."""
    return [
        _python(),
        _package("numpy", "arrays", needed=True),
        _compiler(path),
        _cache(),
        _package("torch", "capture and plan models", ">=2.13,<2.14"),
        _package("pillow", "images as data"),
        _package("scikit-learn", "the demonstration's digits"),
        _package("ziglang", "a C compiler as a wheel, and cross-compiling"),
        _program("arm-none-eabi-gcc", "firmware for Cortex-M", "gcc-arm-none-eabi libnewlib-arm-none-eabi",
                 "--cask gcc-arm-embedded", path),
        _program("qemu-system-arm", "an emulated microcontroller for tests", "qemu-system-arm", "qemu", path),
        _program("chromium", "tests that look at the pages", "chromium", "--cask chromium", path),
        Check("cores", True, str(os.cpu_count() or 1), "one is used to train"),
        Check("memory", True, f"{format_bytes(available())} free", "half of it at most for data"),
    ]  # fmt: skip


def works(checks: list[Check]) -> bool:
    """Whether everything that is needed is there."""
    return all(c.ok for c in checks if c.needed)


def table(checks: list[Check]) -> str:
    """A line a check; below a missing one, what installs it."""
    width = max(len(c.name) for c in checks)
    lines = [f"selvedge on {platform.system()} {platform.machine()}, Python {platform.python_version()}", ""]
    for c in checks:
        mark = "ok     " if c.ok else "MISSING" if c.needed else "absent "
        lines.append(f"{mark}  {c.name:<{width}}  {c.found}  ({c.purpose})")
        if not c.ok:
            lines += [f"{'':>{width + 11}}{line}" for line in c.install.values()]
    verdict = "the core works" if works(checks) else "the core does not work: install what is MISSING"
    return "\n".join([*lines, "", verdict])


def to_dict(checks: list[Check]) -> dict[str, Any]:
    """The same for machines."""
    return {
        "works": works(checks),
        "system": platform.system(),
        "machine": platform.machine(),
        "cores": os.cpu_count() or 1,
        "memory_available_bytes": available(),
        "cache": str(default_cache()),
        "checks": [{**asdict(c), "install": dict(c.install)} for c in checks],
    }


def _python() -> Check:
    install = {"apt": "apt install python3 python3-venv", "brew": "brew install python"}
    ok = sys.version_info >= (3, 11)
    return Check("python", ok, platform.python_version(), "3.11 or newer", True, install)


def _package(name: str, purpose: str, versions: str = "", needed: bool = False) -> Check:
    """``versions``: those that work, as ">=2.13,<2.14". The package is named itself, not an extra of ours: where
    selvedge comes from a checkout, an index may hold another project of its name."""
    install = {"pip": f"pip install '{name}{versions}'" if versions else f"pip install {name}"}
    try:
        return Check(name, True, importlib.metadata.version(name), purpose, needed, install)
    except importlib.metadata.PackageNotFoundError:
        return Check(name, False, "not installed", purpose, needed, install)


def _compiler(path: str | None) -> Check:
    """Not only found: it makes a library."""
    install = {
        "pip": "pip install ziglang",
        "apt": "apt install gcc libc6-dev",
        "brew": "xcode-select --install",
    }

    def tried() -> str:
        compiler = find_compiler(path)
        sources = {
            "linked.c": "int selvedge_linked;\n",
            "probe.c": "#include <math.h>\ndouble f(double x) { return sin(x); }\n",
        }
        with tempfile.TemporaryDirectory(prefix="selvedge-") as folder:
            build(sources, 1, compiler=compiler, cache=Path(folder))
        return str(compiler)

    return _tried("C compiler", tried, "native code for this machine", install)


def _cache() -> Check:
    folder = default_cache()

    def tried() -> str:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return str(folder)

    install = {"shell": f"mkdir -p {folder} && chmod u+rwx {folder}, or set XDG_CACHE_HOME"}
    return _tried("cache", tried, "compiled libraries", install)


def _tried(name: str, attempt: Callable[[], str], purpose: str, install: Mapping[str, str]) -> Check:
    try:
        return Check(name, True, attempt(), purpose, True, install)
    except NoCompiler:
        return Check(name, False, "none runs", purpose, True, install)
    except (SelvedgeError, OSError) as error:
        return Check(name, False, str(error), purpose, True, install)


def _program(name: str, purpose: str, apt: str, brew: str, path: str | None) -> Check:
    install = {"apt": f"apt install {apt}", "brew": f"brew install {brew}"}
    found = shutil.which(name, path=path)
    if found is None:
        return Check(name, False, "not found", purpose, False, install)
    try:
        done = subprocess.run([found, "--version"], capture_output=True, text=True, timeout=60, check=True)
    except (OSError, subprocess.SubprocessError) as error:
        return Check(name, False, f"{found} does not run ({error})", purpose, False, install)
    return Check(name, True, done.stdout.partition("\n")[0].strip() or found, purpose, False, install)
