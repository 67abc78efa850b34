"""The lines of NAME.h that firmware relies on: the emitter writes them, a loader compares them with the manifest."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .manifest import Manifest


def size_line(name: str, what: str, value: int) -> str:
    """``what``: "ARENA_BYTES", "PERSISTENT_BYTES", "WEIGHTS_BYTES", "STORAGE_BYTES" or "ALIGNMENT"."""
    return f"#define {name.upper()}_{what} {value}"


def port_line(name: str, program: str, kind: str, key: str, offset: int, dtype: str, shape: Sequence[int]) -> str:
    """Where an input or output (``kind``) lies, and what it is."""
    macro = "_".join((name, program, "".join(ch if ch.isalnum() else "_" for ch in key))).upper()
    return f"#define {macro} {offset} /* {kind}, {dtype}, {' x '.join(map(str, shape)) or 'scalar'} */"


def lines(manifest: Manifest) -> set[str]:
    """Every such line of an artifact."""
    made = {
        size_line(manifest.name, what, value)
        for what, value in (
            ("ARENA_BYTES", manifest.arena_bytes),
            ("PERSISTENT_BYTES", manifest.persistent_bytes),
            ("WEIGHTS_BYTES", manifest.weights_bytes),
            ("ALIGNMENT", manifest.alignment),
        )
    }
    if manifest.storage_bytes:
        made.add(size_line(manifest.name, "STORAGE_BYTES", manifest.storage_bytes))
    for program, entry in manifest.programs.items():
        for kind, ports in (("input", entry.inputs), ("output", entry.outputs)):
            made |= {port_line(manifest.name, program, kind, k, p.offset, p.dtype, p.shape) for k, p in ports.items()}
    return made


def differs(manifest: Manifest, header: str, source: str) -> str | None:
    """What the C says otherwise than the manifest; None if they agree."""
    said = {line for line in header.splitlines() if re.match(r"#define \w+ \d", line)}
    odd = sorted(said ^ lines(manifest))
    if odd:
        return odd[0].removeprefix("#define ")
    real = "double" if manifest.dtype == "float64" else "float"
    for line in (f"#define SV_REAL {real}", f"#if SV_LANES != {manifest.lanes}"):
        if line not in source.splitlines():
            return line.lstrip("#")
    return None
