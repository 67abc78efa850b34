"""What decoded data may take: half of the memory that is free, unless the user says otherwise."""

from __future__ import annotations

import os
from pathlib import Path

from ..errors import InvalidInput
from .spec import Spec

_UNITS = {"B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}


def limit(spec: Spec) -> int:
    """Bytes. Raises ``InvalidInput`` for a size that is none."""
    text = spec.options.get("memory")
    if text is None:
        return available() // 2
    digits = text.rstrip("BKMGi")
    unit = _UNITS.get(text[len(digits) :])
    if not digits.isdecimal() or unit is None:
        raise InvalidInput("--data memory", text or "empty", "write it as 512MiB or 2GiB")
    return int(digits) * unit


def available() -> int:
    """Bytes of memory that are free or can be freed; all there is where nobody says."""
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable"))
    except (OSError, StopIteration, ValueError):
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def require(spec: Spec, need: int, what: str) -> None:
    """Raise ``InvalidInput`` unless ``need`` bytes fit."""
    have = limit(spec)
    if need > have:
        fix = f"it needs {need:,} B of memory, {have:,} B may be used; give limit=N (samples a class) or memory=SIZE"
        raise InvalidInput("--data", str(spec), f"{what}: {fix}")
