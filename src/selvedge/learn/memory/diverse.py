"""Samples that are far from one another."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from ..draws import Draws
from .policy import Arrays, Held

SKETCH = 8
_LARGEST = float(np.finfo(np.float16).max)


class Diverse:
    """When it is full, the new sample and those held are one too many: of the two that are nearest to each other, one
    goes. Either by lot, if both are held; if the new sample is one of them, the other, unless the new one is near to a
    third as well: then it passes. So the least distance between two that are held never falls: greedy k-centre
    (Gonzalez, *Clustering to minimize the maximum intercluster distance*, 1985) over a stream, one look at each. Labels
    are not looked at, and what is odd is kept: not for noisy streams.

    Distances are of sketches: each element is added, with its sign, to one of 8 sums by hashes of its place (Weinberger
    et al., *Feature hashing for large scale multitask learning*, ICML 2009), which are made anew and not kept. A
    sample's sketch takes 16 B (float16), its distance from the nearest other one 4 B.
    """

    def fixed(self, classes: int) -> Arrays:
        return {}

    def each(self) -> Arrays:
        return {"sketch": ((SKETCH,), "float16"), "nearest": ((), "float32")}

    def slot(self, held: Held, sample: npt.NDArray[Any], label: int) -> int | None:
        if len(held) < held.capacity:
            return len(held)
        sketches, nearest = held.state["sketch"], held.state["nearest"]
        away = _distances(sketch(sample), sketches)
        if away.min() <= nearest.min():
            twin = int(away.argmin())
            away[twin] = np.inf
            return twin if away.min() >= nearest.min() else None
        one = int(nearest.argmin())
        among = _distances(sketches[one], sketches)
        among[one] = np.inf
        return (one, int(among.argmin()))[held.random.below(2)]

    def written(self, held: Held, slot: int, sample: npt.NDArray[Any], new: bool) -> None:
        sketches, nearest = held.state["sketch"][: len(held)], held.state["nearest"][: len(held)]
        mine = sketch(sample)
        alone = np.zeros(len(held), np.bool_)
        if not new:
            if np.array_equal(mine, sketches[slot]):
                return
            alone = nearest == _distances(sketches[slot], sketches)  # whose nearest may have been the one that goes
        sketches[slot] = mine
        away = _distances(mine, sketches)
        away[slot] = np.inf
        nearest[...] = np.minimum(nearest, away)
        nearest[slot] = away.min()
        alone[slot] = False
        for other in np.flatnonzero(alone):
            away = _distances(sketches[other], sketches)
            away[other] = np.inf
            nearest[other] = away.min()

    def fault(self, state: Mapping[str, npt.NDArray[Any]], of_each: npt.NDArray[np.intp]) -> str | None:
        held = slice(int(of_each.sum()))
        if np.all(np.isfinite(state["sketch"][held])) and np.all(state["nearest"][held] >= 0):
            return None
        return "a distance is no number of at least 0"


def sketch(sample: npt.NDArray[Any]) -> npt.NDArray[np.float16]:
    """Signed sums of ``sample``'s elements, float16 [SKETCH], scaled so that distances are about those of samples over
    the root of their size."""
    values = np.nan_to_num(sample.reshape(-1).astype(np.float64))
    hashes = Draws(0).words(values.size)
    signs = np.where(hashes & np.uint64(1), 1.0, -1.0)
    places = (hashes >> np.uint64(32)) % np.uint64(SKETCH)
    sums = np.bincount(places.astype(np.intp), values * signs, SKETCH) / np.sqrt(values.size)
    made: npt.NDArray[np.float16] = np.clip(sums, -_LARGEST, _LARGEST).astype(np.float16)
    return made


def _distances(one: npt.NDArray[np.float16], others: npt.NDArray[np.float16]) -> npt.NDArray[np.float32]:
    """Squared, [n]; summed element by element, so that a pair has the same from both sides and on every machine."""
    made = np.zeros(len(others), np.float32)
    for i in range(SKETCH):
        apart = others[:, i].astype(np.float32) - np.float32(one[i])
        made += apart * apart
    return made
