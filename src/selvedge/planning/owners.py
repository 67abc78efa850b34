"""Who wrote each byte of a region last, in stretches: as exact as a note on every byte, and a plan of hundreds of
megabytes costs no more than one of kilobytes."""

from __future__ import annotations

from bisect import bisect_left, bisect_right


class Owners:
    """Bytes ``0 .. bytes - 1``, at first nobody's."""

    def __init__(self, size: int) -> None:
        self.size = size
        # Disjoint stretches [low, high) in rising order.
        self._low: list[int] = []
        self._high: list[int] = []
        self._owner: list[int] = []

    def __len__(self) -> int:
        return self.size

    def claim(self, low: int, high: int, owner: int) -> None:
        """Bytes ``low .. high - 1`` are ``owner``'s from here on, whoever had them."""
        if low >= high:
            return
        first, last = self._met(low, high)
        stretches = [(low, high, owner)]
        if first < last:
            a, b = (self._low[first], low, self._owner[first]), (high, self._high[last - 1], self._owner[last - 1])
            stretches = [s for s in (a, stretches[0], b) if s[0] < s[1]]
        self._low[first:last] = [s[0] for s in stretches]
        self._high[first:last] = [s[1] for s in stretches]
        self._owner[first:last] = [s[2] for s in stretches]

    def untouched(self, low: int, high: int) -> bool:
        """Has nobody claimed any of these bytes?"""
        first, last = self._met(low, high)
        return first >= last

    def belongs(self, low: int, high: int, owner: int) -> bool:
        """Are all of these bytes ``owner``'s?"""
        at = low
        for n in range(*self._met(low, high)):
            if self._low[n] > at or self._owner[n] != owner:
                return False
            at = self._high[n]
        return at >= high

    def _met(self, low: int, high: int) -> tuple[int, int]:
        """The stretches that share a byte with ``low .. high - 1``: from the first to before the last."""
        first = bisect_right(self._high, low)
        return first, first if low >= high else bisect_left(self._low, high)
