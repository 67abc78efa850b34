"""Where figures come from: a measurement without its machine says nothing."""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from selvedge.artifact.toolchain import find_compiler
from selvedge.errors import SelvedgeError

PACKAGES = ("selvedge", "torch", "executorch", "ai-edge-litert", "onnxruntime", "numpy")


def environment() -> dict[str, Any]:
    """Processor, compilers, versions, date, and how busy the machine was when it began."""
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "cpu": cpu(),
        "cores": len(os.sched_getaffinity(0)),
        "load_before": round(os.getloadavg()[0], 2),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "packages": {name: _version(name) for name in PACKAGES},
        "compiler": _compiler(),
        "cxx": _cxx(),
        "threads": 1,
    }


def caption(about: dict[str, Any], shown: Sequence[str] = ("torch", "executorch")) -> str:
    """One line under a table. shown: the packages that it compares with."""
    packages = ", ".join(f"{n} {v}" for n, v in about["packages"].items() if n in shown)
    return (
        f"{about['date']}, {about['cores']} cores of {about['cpu']}, {about['compiler'].splitlines()[0]}, {packages}; "
        f"{about['seconds']:.0f} s."
    )


def cpu() -> str:
    """The processor by its maker's name."""
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith(("model name", "Model")):
            return line.partition(":")[2].strip()
    return platform.processor() or "unknown"


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "missing"


def _compiler() -> str:
    try:
        return find_compiler().version
    except SelvedgeError as error:
        return f"missing: {error}"


def _cxx() -> str:
    from .peers.contestant import Failed
    from .peers.inductor import cxx

    try:
        done = subprocess.run([cxx(), "--version"], capture_output=True, text=True, check=False)
    except Failed as error:
        return f"missing: {error}"
    return done.stdout.splitlines()[0] if done.stdout else "unknown"
