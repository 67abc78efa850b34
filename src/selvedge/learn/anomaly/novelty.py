"""What a series has never been near, in a fixed number of bytes."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Mapping
from math import frexp, isfinite, nan, sqrt
from typing import Any

import numpy as np
import numpy.typing as npt

from ...errors import InvalidInput
from ..given import fitting, share, whole
from .remembered import Remembered

LARGEST = 1e18  # of a value: its square must stay finite in float32
HORIZON = 65536  # values: from there on the mean gap forgets
FEWEST = 8  # gaps before one can be odd
FULL = 65535  # of a count: then all are halved
MOST = 0x7FFFFFFF  # of rows
FAR = 1e9  # of z, and of a value in scales from the centre
HEADER = 56  # bytes beside the values held
VALUE = 6  # bytes a value held: itself and its count

HUNDREDTH, BEND = (float(np.float32(number)) for number in (0.01, 0.34))


class NoveltyDetector:
    """Streaming anomaly detection on one series of numbers: a value is odd where it is far from all seen before.

    It holds up to ``capacity`` different values of the whole past, sorted. When one more would not fit, the two
    neighbours that are least apart become one: where values are dense a few of them are as good as many, and the sparse
    and outermost ones, on which novelty rests, stay. The *gap* of a value is its distance to the nearest one held,
    measured twice: as it is, and after asinh((value - median) / interquartile range), which tells small numbers of a
    heavy-tailed series apart. How many standard deviations each gap stands above the mean of all gaps so far, the
    larger of the two, is z; the score is z / (1 + z). Of a burst only what is odder than the ``hold`` rows before it
    scores: an alarm is raised once.

    capacity_bytes: the bound on all that it remembers. warm: the first values, whose gaps are not counted.
    hold: rows that an alarm silences what is not odder than itself; 0 for none. With times, the rows that a hole in
    the stream would have held count too. threshold: the score from which on ``update`` is worth an alarm; the default
    is the best on the Numenta benchmark.

    The arithmetic is float32, of operations that IEEE 754 rounds exactly: ``c/novelty.c`` gives the same bits.
    Values beyond 1e18 count as 1e18, and what differs by less than float32 can tell is equal: take off an offset first.
    Raises ``InvalidInput`` for a size or number that cannot be used.
    """

    def __init__(
        self, capacity_bytes: int = 4096, *, warm: int = 10, hold: int = 100, threshold: float = 0.688
    ) -> None:
        self.capacity = (whole("capacity_bytes", capacity_bytes) - HEADER) // VALUE // 4 * 4
        self.warm, self.hold = whole("warm", warm), whole("hold", hold)
        if self.capacity < 16:
            raise InvalidInput("capacity_bytes", capacity_bytes, f"give {HEADER + 16 * VALUE} or more, for 16 values")
        for field, given in (("warm", self.warm), ("hold", self.hold)):
            if not 0 <= given <= 1_000_000:
                raise InvalidInput(field, given, "give 0..1000000 rows")
        self.threshold = share("threshold", threshold)
        pair, one = (2,), (1,)
        self._memory = Remembered(
            {
                "last": (one, np.float64),
                "step": (one, np.float32),
                "rows": (one, np.uint32),
                "next": (one, np.uint32),
                "held": (one, np.uint32),
                "centre": (one, np.float32),
                "scale": (one, np.float32),
                "mean": (pair, np.float32),
                "variance": (pair, np.float32),
                "peak": (one, np.float32),
                "age": (one, np.uint32),
                "values": ((self.capacity,), np.float32),
                "counts": ((self.capacity,), np.uint16),
            }
        )
        self._is = self._memory.part
        # A number out of a memoryview is Python's: far cheaper to reckon with than numpy's.
        view: dict[str, Any] = {name: memoryview(part.data) for name, part in self._is.items()}
        self._last, self._step, self._peak, self._age = (view[k] for k in ("last", "step", "peak", "age"))
        self._rows, self._next, self._held = (view[k] for k in ("rows", "next", "held"))
        self._centre, self._scale, self._mean, self._variance = (
            view[k] for k in ("centre", "scale", "mean", "variance")
        )
        self._values, self._counts = view["values"], view["counts"]
        self._single = array("f", [0])
        self._last[0], self._scale[0], self._next[0] = nan, 1, 1

    @property
    def bytes(self) -> int:
        """Bytes of the buffer, exactly; constant from the first value."""
        return self._memory.buffer.nbytes

    @property
    def held(self) -> npt.NDArray[np.float32]:
        """The values held, ascending: a copy."""
        copy: npt.NDArray[np.float32] = self._is["values"][: self._held[0]].copy()
        return copy

    def update(self, value: npt.ArrayLike, time: float | None = None) -> float:
        """The score of one value, 0..1, which is then remembered.

        A value that is not finite is missing: it scores 0 and only lets time pass. A time that goes back, repeats or is
        not finite counts as one row. Raises ``InvalidInput``, and remembers nothing, for what is no number.
        """
        number, moment = _number("value", value), _number("time", time) if time is not None else nan
        age = min(self._age[0] + self._passed(moment), MOST)
        self._age[0] = age
        if not isfinite(number):
            return 0.0
        x = self._rounded(min(max(number, -LARGEST), LARGEST))
        z = self._odd(x)
        self._hold(x)
        self._rows[0] = min(self._rows[0] + 1, MOST)
        if not z > (self._peak[0] if age <= self.hold else 0.0):
            return 0.0
        self._peak[0], self._age[0] = z, 0
        return self._rounded(z / self._rounded(z + 1.0))

    def state_dict(self) -> dict[str, npt.NDArray[Any]]:
        """Copies of everything remembered, by name: one of the same settings that loads them goes on as this would."""
        return self._memory.copies()

    def load_state_dict(self, state: Mapping[str, npt.NDArray[Any]]) -> None:
        """Go on from what :meth:`state_dict` returned.

        Raises ``InvalidInput``, and changes nothing, where a name, shape, dtype or number does not fit.
        """
        fitting("novelty state", self._memory.part, state)
        held = int(state["held"][0])
        if held > self.capacity:
            raise InvalidInput("novelty state held", held, f"at most {self.capacity} values fit")
        for name in ("rows", "age"):
            if state[name][0] > MOST:
                raise InvalidInput(f"novelty state {name}", int(state[name][0]), f"give {MOST} or fewer")
        values = state["values"][:held]
        if not (np.isfinite(values).all() and (np.diff(values) > 0).all() and (state["counts"][:held] > 0).all()):
            raise InvalidInput("novelty state values", "damaged", "give finite, ascending ones with counts")
        if not (state["scale"][0] > 0 and np.isfinite(state["scale"][0]) and np.isfinite(state["centre"][0])):
            raise InvalidInput("novelty state scale", float(state["scale"][0]), "it must be above 0 and finite")
        if not all(np.isfinite(state[k]).all() and (state[k] >= 0).all() for k in ("mean", "variance", "peak", "step")):
            raise InvalidInput("novelty state", "damaged", "mean, variance, peak and step are finite and not negative")
        self._memory.take(state)

    def _rounded(self, number: float) -> float:
        """To float32. Of one sum, product, quotient or root in float64 this is what float32 itself would have given:
        53 bits are more than twice 24 and two (Figueroa, *When is double rounding innocuous?*, 1995)."""
        self._single[0] = number
        return self._single[0]

    def _passed(self, time: float) -> int:
        """Rows since the last call: one, or more after a hole. The usual step between two is a running median."""
        if not isfinite(time):
            return 1
        before, self._last[0] = self._last[0], time
        since, step = self._rounded(time - before) if isfinite(before) else 0.0, self._step[0]
        if not since > 0 or not isfinite(since):
            return 1
        if not step > 0:
            self._step[0] = since
            return 1
        rows = self._rounded(since / step)
        up, down = self._rounded(step * 1.0625), self._rounded(step * 0.9375)
        self._step[0] = min(up, since) if since > step else max(down, since)
        return max(1, int(min(rows, HORIZON)))

    def _odd(self, x: float) -> float:
        """z of ``x``; its gaps are counted."""
        r, rows = self._rounded, self._rows[0]
        gaps = (0.0, 0.0)
        if self._held[0]:
            if rows >= self._next[0]:
                self._standardise(rows)
            gaps = self._gaps(x)
        z, counted = 0.0, max(rows - self.warm, 0)
        weight = r(1.0 / min(counted + 1, HORIZON))
        rest = r(1.0 - weight)
        for k in (0, 1):
            mean, variance = self._mean[k], self._variance[k]
            apart = r(gaps[k] - mean)
            if apart > 0 and counted > FEWEST:
                spread = r(r(sqrt(variance)) + r(mean * HUNDREDTH))
                z = max(z, min(r(apart / spread), FAR) if spread > 0 else FAR)
            if rows >= self.warm:
                step = r(weight * apart)
                self._mean[k] = mean + step
                self._variance[k] = rest * r(variance + r(step * apart))
        return z

    def _gaps(self, x: float) -> tuple[float, float]:
        """To the nearest value held: as it is, and compressed."""
        n, r = self._held[0], self._rounded
        i = bisect_left(self._values, x, 0, n)
        if i < n and self._values[i] == x:
            return 0.0, 0.0
        small = self._small(x)
        near = [self._values[j] for j in (i - 1, i) if 0 <= j < n]
        return min(r(abs(v - x)) for v in near), min(r(abs(self._small(v) - small)) for v in near)

    def _small(self, value: float) -> float:
        """:meth:`_compressed` of one value: the same bits, sooner."""
        r = self._rounded
        y = r(r(value - self._centre[0]) / self._scale[0])
        a = min(abs(y), FAR)
        fraction, exponent = frexp(r(a + r(sqrt(r(r(a * a) + 1.0)))))
        f = r(r(fraction * 2.0) - 1.0)
        found = r(r(r(r(r(1.0 - f) * BEND) + 1.0) * f) + (exponent - 1))
        return -found if y < 0 else found

    def _compressed(self, values: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """asinh((value - centre) / scale) in units of log 2, its logarithm quadratic between powers of two.

        Off by less than 0.01, and made of operations that are exact to the bit everywhere; a logarithm is not.
        """
        with np.errstate(over="ignore"):
            y = (values - self._is["centre"]) / self._is["scale"]
        a = np.minimum(np.abs(y), np.float32(FAR))
        fraction, exponent = np.frexp(a + np.sqrt(a * a + np.float32(1)))
        f = fraction * np.float32(2) - np.float32(1)
        small = ((np.float32(1) - f) * np.float32(BEND) + np.float32(1)) * f + (exponent - 1).astype(np.float32)
        signed: npt.NDArray[np.float32] = np.copysign(small, y)
        return signed

    def _standardise(self, rows: int) -> None:
        mine, n, r = self._is, self._held[0], self._rounded
        passed = np.cumsum(mine["counts"][:n], dtype=np.int64)
        at = np.searchsorted(passed * 20, np.array([1, 5, 10, 15, 19]) * passed[-1])
        low, quarter, middle, three, high = (self._values[min(int(i), n - 1)] for i in at)
        ends = r(self._values[n - 1] - self._values[0])
        spreads = (r(three - quarter), r(high - low), ends, r(abs(middle) * HUNDREDTH), 1.0)
        self._centre[0], self._scale[0] = middle, next(s for s in spreads if s > 0)
        self._next[0] = rows + 1 + rows // 4

    def _hold(self, x: float) -> None:
        n = self._held[0]
        i = bisect_left(self._values, x, 0, n)
        if i < n and self._values[i] == x:
            self._count(i, 1)
            return
        if n == self.capacity:
            self._merge()
            n -= 1
            i = bisect_left(self._values, x, 0, n)
        values, counts = self._is["values"], self._is["counts"]
        values[i + 1 : n + 1], counts[i + 1 : n + 1] = values[i:n], counts[i:n]
        self._values[i], self._counts[i] = x, 1
        self._held[0] = n + 1

    def _merge(self) -> None:
        """The two neighbours that are least apart, in both measures, become one. The ends stay: beyond them is new."""
        values, counts, n = self._is["values"], self._is["counts"], self._held[0]
        at = int(np.argmin(np.diff(values[:n]) * np.diff(self._compressed(values[:n]))))
        right = at > 0 and (at + 2 == n or counts[at] < counts[at + 1])
        if right:
            values[at] = values[at + 1]
        more = int(counts[at + 1])
        for part in (values, counts):
            part[at + 1 : n - 1] = part[at + 2 : n]
        self._held[0] = n - 1
        self._count(at, more)

    def _count(self, i: int, more: int) -> None:
        total = self._counts[i] + more
        self._counts[i] = min(total, FULL)
        if total >= FULL:
            counts = self._is["counts"][: self._held[0]]
            counts[:] = (counts.astype(np.uint32) + 1) // 2


def _number(field: str, value: Any) -> float:
    if isinstance(value, float):
        return value
    try:
        given = np.asarray(value, np.float64)
    except (TypeError, ValueError, OverflowError):
        raise InvalidInput(field, value, "give one number") from None
    if given.size != 1:
        raise InvalidInput(field, f"of shape {list(given.shape)}", "give one number")
    return float(given.reshape(()))
