"""Sizes: bytes in code, KiB and MiB (1024) in print."""

from __future__ import annotations

import re
from fractions import Fraction
from types import MappingProxyType

from selvedge.errors import InvalidInput

UNITS = MappingProxyType({"B": 1, "kB": 10**3, "MB": 10**6, "GB": 10**9, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30})
_SIZE = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*([A-Za-z]*)")


def parse_bytes(value: int | str, field: str = "size") -> int:
    """Bytes of an int (taken as it is) or of a string such as "64KiB", "1.5MiB", "64kB", "4096".

    KiB, MiB, GiB are powers of 1024; kB, MB, GB of 1000; "K", "KB" and "M" could mean either and are refused.
    Raises :class:`InvalidInput` naming ``field`` for anything that is not a whole number of bytes >= 0.
    """
    if isinstance(value, int) and not isinstance(value, bool):
        if value < 0:
            raise InvalidInput(field, value, "give a size of 0 bytes or more")
        return value
    fix = "write bytes as a whole number or with a unit, as 65536, 64KiB, 1MiB (1024) or 64kB, 1MB (1000)"
    match = _SIZE.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None or (match[2] or "B") not in UNITS:
        raise InvalidInput(field, value, fix)
    size = Fraction(match[1]) * UNITS[match[2] or "B"]
    if size.denominator != 1:
        raise InvalidInput(field, value, fix)
    return int(size)


def format_bytes(size: int) -> str:
    """Print as "512 B", "64 KiB", "1.5 MiB": at most one decimal, none where it is exact."""
    for unit in ("GiB", "MiB", "KiB"):
        if abs(size) >= UNITS[unit]:
            return f"{size / UNITS[unit]:.1f}".removesuffix(".0") + f" {unit}"
    return f"{size} B"
