"""``--dynamic "0:1..8; 1:16,32,64"``: axes of the input, and the sizes that they may have."""

from __future__ import annotations

import re

from ..errors import InvalidInput

FIX = 'write axis:sizes, as "0:1..8" for 1 to 8 samples, or "0:1,4; 1:16,32" for two axes'
MOST = 1 << 31


def parse(text: str | None) -> dict[int, tuple[int, ...]] | None:
    """Raises ``InvalidInput`` for anything else."""
    if text is None:
        return None
    found: dict[int, tuple[int, ...]] = {}
    for part in text.split(";"):
        axis, colon, sizes = part.strip().partition(":")
        if not colon or not re.fullmatch(r"\d{1,2}", axis.strip()) or int(axis) in found:
            raise InvalidInput("--dynamic", text or "empty", FIX)
        found[int(axis)] = tuple(size for word in sizes.split(",") for size in _sizes(text, word.strip()))
    return found


def _sizes(text: str, word: str) -> range:
    match = re.fullmatch(r"(\d{1,10})(?:\.\.(\d{1,10}))?", word)
    first, last = (int(match[1]), int(match[2] or match[1])) if match else (0, 0)
    if not 1 <= first <= last < MOST or last - first > 4096:
        raise InvalidInput("--dynamic", text, FIX)
    return range(first, last + 1)
