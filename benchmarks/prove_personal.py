"""A character model on its owner's device: ten owners, three seeds. A seed is kept under ``build/`` as soon as it is
there, by the digest of the proof: what stops the proof costs one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from selvedge.artifact import files

from .personal.speakers import absent, plays
from .personal.study import BASE, READING, seed, summary
from .personal.ways import SYMBOLS, UPDATES

SEEDS = range(3)
KEPT = Path(__file__).parents[1] / "build" / "prove_personal"


def prove(digest: str) -> dict[str, Any]:
    """The summary, as plain data. ``missed``: each way of learning on the device that does not take bits off the model
    as it came, at the best epoch, with the 95 % interval above zero.

    Raises ``AssertionError`` unless the model as it came beats guessing by a bit.
    """
    missing = absent()
    assert not missing, f"{missing} is absent: set SELVEDGE_DATA"
    assert plays().symbols == SYMBOLS
    made = summary([_kept(number, KEPT / digest[:16]) for number in SEEDS])
    assert made["ways"][BASE]["best"]["bits"][0] < made["ways"]["guessing"]["best"]["bits"][0] - 1, "the model is bad"
    missed = []
    for way in (*UPDATES, *(f"{READING}, {update}" for update in UPDATES)):
        low, high = made["ways"][way]["best"]["interval"]
        if low <= 0:
            missed.append(f"{way}: takes off {low:+.4f} to {high:+.4f} bits")
    return {**made, "missed": missed}


def _kept(number: int, folder: Path) -> dict[str, Any]:
    file = folder / f"{number}.json"
    if not file.exists():
        found = seed(number)
        folder.mkdir(parents=True, exist_ok=True)
        files.write(file, json.dumps(found).encode())
    made: dict[str, Any] = json.loads(file.read_text())
    return made
