"""The diary of a board, in the words of the learner."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from ..diary import Entry
from ..habits import Habits
from .layout import KINDS


def told(diary: npt.NDArray[Any], count: int, habits: Habits, margin: float) -> Iterator[Entry]:
    """The last of ``count`` entries, those that the ring ``diary`` holds; oldest first."""
    for number in range(max(0, count - len(diary)), count):
        entry = diary[number % len(diary)]
        yield Entry(int(entry["sample"]), KINDS[int(entry["kind"])], _why(entry, habits, margin))


def _why(entry: Any, habits: Habits, margin: float) -> str:
    """As SV_WHY_BETTER to SV_WHY_NO_ANSWER of live_plan.h number them."""
    a, b, n = float(entry["a"]), float(entry["b"]), int(entry["n"])
    with np.errstate(over="ignore"):
        wealth = f"{float(np.exp(a)):.2g} to 1" if int(entry["why"]) in (0, 2) else ""
    share = habits.blends[n] if int(entry["why"]) == 0 else 1.0
    part = "" if share == 1 else f", {share:.0%} of the way"
    return (
        f"better on new samples ({wealth}){part}",
        "its output is not finite",
        f"on new samples it is worse than what predicts: {wealth}",
        f"its loss is {a}",
        f"its loss leapt to {a:.3g}, from {b:.3g}",
        f"up to {a:.1%} may be lost on the anchor ({b:+.1%} on {n} samples): {margin:.1%} is allowed",
        f"on {n} samples that were held out it is worse by {a:.1%}",
        f"refused {n} times in turn",
        "asked for",
        "a sample that is not finite",
        f"{n} samples to which no answer is sound",
    )[int(entry["why"])]
