"""How many members may have other than 0 at each element of a sum."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from .wire import Span


def thinnest(spans: Iterable[tuple[Span, ...]], size: int) -> tuple[int, int]:
    """(members, element): where the fewest are, of the elements that anybody has. ``spans``: of each member; none of
    them: all ``size`` elements are its own."""
    change: Counter[int] = Counter()
    for own in spans:
        for start, end in own or ((0, size),):
            change[start] += 1
            change[end] -= 1
    least, where, here = 0, 0, 0
    for element in sorted(change):
        here += change[element]
        if here and (not least or here < least):
            least, where = here, element
    return least, where
