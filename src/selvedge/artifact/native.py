"""Where the C kernels lie: inside the installed package, or beside it in a checkout."""

from __future__ import annotations

from pathlib import Path

from ..errors import SelvedgeError


def native_sources() -> dict[str, str]:
    """File name -> text of every kernel header, and of the heavy families as a unit of their own (linked.c)."""
    folder = _folder()
    headers = [f for f in sorted(folder.glob("*.h")) if f.name != "calibrate.h"]
    return {f.name: f.read_text() for f in [*headers, folder / "linked.c"]}


def native_storage() -> dict[str, str]:
    """File name -> text of the port that pages to a file, for POSIX systems; a microcontroller brings its driver."""
    return {"storage_posix.c": (_folder() / "storage_posix.c").read_text()}


def native_stack_probe() -> str:
    """The C text that measures the stack of a program, for the checking build."""
    return (_folder() / "stack_probe.c").read_text()


def native_calibration() -> dict[str, str]:
    """File name -> text of the harness that times a plan's kernels; without a port."""
    return {name: (_folder() / name).read_text() for name in ("calibrate.c", "calibrate.h")}


def native_port(name: str) -> str:
    """The C text of a port of the harness: "posix" or "cortex_m"."""
    return (_folder() / f"port_{name}.c").read_text()


def _folder() -> Path:
    package = Path(__file__).resolve().parent.parent
    for place in (package / "native", package.parent.parent / "native"):
        if (place / "selvedge.h").is_file():
            return place
    raise SelvedgeError("native kernels: selvedge.h is not in the installation; install selvedge again")
