"""A character model on its owner's device: ten owners, three seeds."""

from __future__ import annotations

from typing import Any

from .personal.speakers import absent, plays
from .personal.study import BASE, seed, summary
from .personal.ways import SYMBOLS, UPDATES

SEEDS = range(3)


def prove() -> dict[str, Any]:
    """The summary, as plain data.

    Raises ``AssertionError`` unless learning on the device takes bits off the model as it came, at the best epoch,
    with the 95 % interval above zero, and the model as it came beats guessing.
    """
    missing = absent()
    assert not missing, f"{missing} is absent: set SELVEDGE_DATA"
    assert plays().symbols == SYMBOLS
    made = summary([seed(number) for number in SEEDS])
    assert made["ways"][BASE]["best"]["bits"][0] < made["ways"]["guessing"]["best"]["bits"][0] - 1, "the model is bad"
    for update in UPDATES:
        low, high = made["ways"][update]["best"]["interval"]
        assert low > 0, f"{update}: takes off {low:+.4f} to {high:+.4f} bits"
    return made
