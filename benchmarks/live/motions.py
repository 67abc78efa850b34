"""Walks of people with a phone in the pocket, as windows: what lies around the half second that is asked about."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.archives import members
from benchmarks.auto.sources import ACTIVITIES, FOLDER

Array = npt.NDArray[Any]
FILE = FOLDER / "har_sp_sw_23subjects" / "sp-sw-har-dataset.tar.xz"
FEWER = 4  # neighbours that become their mean: 102.5 Hz, jitter of delivery apart, become 25.6 Hz
LENGTH, EVERY, MIDDLE = 64, 12, 12  # steps: a window of 2.5 s, every half second, told by the half second in its middle
CLEAR = 0.9  # of the middle is one activity; else the window is one of a transition
UNITS = np.float32([5, 5, 5, 1, 1, 1])  # m/s2 and rad/s


@dataclass(frozen=True, slots=True)
class Motions:
    """Windows x float32 [n, 6, 64], their activities y, people and walks; ``clear``: not of a transition."""

    x: Array
    y: Array
    who: Array
    walk: Array
    clear: Array


@lru_cache(maxsize=1)
def motions() -> Motions:
    """All of the phone's recordings."""
    xs, ys, clear, people, walks = [], [], [], [], []
    for name, held in members(FILE, "_sp."):
        rows = [line.split(",") for line in held.decode().splitlines()[1:]]
        steps = len(rows) // FEWER
        x = np.array([r[:6] for r in rows[: steps * FEWER]]).astype(np.float32).reshape(steps, FEWER, 6).mean(1)
        told = np.array([ACTIVITIES.index(r[7]) for r in rows[: steps * FEWER : FEWER]])
        number, walk = (int(part) for part in name.split("/s")[-1].split("_")[:2])
        for begin in range(0, steps - LENGTH + 1, EVERY):
            middle = begin + (LENGTH - MIDDLE) // 2
            counts = np.bincount(told[middle : middle + MIDDLE], minlength=len(ACTIVITIES))
            xs.append((x[begin : begin + LENGTH] / UNITS).T)
            ys.append(counts.argmax())
            clear.append(counts.max() >= CLEAR * MIDDLE)
            people.append(number - 1)
            walks.append(walk)
    return Motions(np.ascontiguousarray(np.stack(xs)), np.int32(ys), np.int32(people), np.int32(walks), np.array(clear))
