"""Whether a stream repeats itself, stands still, or goes back in time."""

from __future__ import annotations

from collections import OrderedDict
from zlib import crc32

import numpy as np

from .sample import Sample

MEMORY = 256  # samples back that a repeat is looked for
ENOUGH = 32  # samples in turn, and a whole period, that must come again


class Odd:
    """``look`` at every sample; it says in a line what is odd, once for as long as it lasts, else nothing.

    A stream repeats where each of the last samples, as many as a period and at least 32, has come the same number of
    samples before: 1 is a sensor that stands still. Samples are told apart by the CRC-32 of their bytes and class.
    """

    def __init__(self) -> None:
        self._seen: OrderedDict[int, int] = OrderedDict()
        self._count = self._period = self._run = 0
        self._told, self._latest = False, float("-inf")

    def look(self, sample: Sample) -> str:
        """A sentence, or nothing."""
        said = ""
        key = crc32(repr(sample.y).encode(), crc32(np.ascontiguousarray(sample.x).tobytes()))
        period = self._count - self._seen.pop(key, self._count)
        self._seen[key] = self._count
        self._count += 1
        if len(self._seen) > MEMORY:
            self._seen.popitem(last=False)
        if period and period == self._period:
            self._run += 1
        else:
            self._period, self._run, self._told = period, 1 if period else 0, False
        if self._run >= max(ENOUGH, period) and period and not self._told:
            self._told = True
            what = "the same sample" if period == 1 else f"the same {period} samples"
            said = f"it repeats itself: {what} again and again, {self._run + period} until now"
        elif sample.time < self._latest - 1:
            said = f"sample {sample.number} is {self._latest - sample.time:.3g} s older than one before it"
        if sample.time < self._latest - 1:
            self._latest = sample.time  # told once, also of a clock that was set back for good
        self._latest = max(self._latest, sample.time)
        return said
