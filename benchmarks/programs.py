"""A plan as the text that a compiler is given: where that is the same, so is what runs, whatever made it."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

import selvedge as sv

INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"', re.MULTILINE)


def files(plan: sv.Plan) -> dict[str, str]:
    """Name -> text of the emitted C of ``plan`` and of every file beside it that it includes; no weights."""
    with tempfile.TemporaryDirectory() as folder:
        written = sv.emit(plan, "c", Path(folder) / "model")
        waiting, found = ["model.c"], dict[str, str]()
        while waiting:
            name = waiting.pop()
            if name not in found and (written / name).is_file():
                found[name] = (written / name).read_text()
                waiting += INCLUDE.findall(found[name])
    assert "model.c" in found, "the C target names its program otherwise"
    return dict(sorted(found.items()))


def personal() -> Iterator[sv.Plan]:
    """With which a character model learns its owner."""
    from selvedge.zoo.char_gru import CharGRU

    from .personal.ways import SYMBOLS, UPDATES, planned

    model = CharGRU(SYMBOLS).eval()
    for update in UPDATES:
        yield planned(model, update)
