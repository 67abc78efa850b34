"""From a lowered program that is too large to one that fits, or to the smallest within a multiple of its time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import inf

from ..bound import bound_of_any_order, bound_of_order
from ..kernel import ARENA, Kernel, Lowered
from ..order import shared_bytes
from ..search import lowest_peak
from .expand import expand
from .search import Search
from ..trade import Trade

STEP = 0.97  # how far the limit of a descent to the least bytes goes down at a time


@dataclass(frozen=True, slots=True)
class Price:
    """What one run of a kernel costs: ``seconds`` limits the search, ``cost`` is what it gives up least of. Where the
    device has no figures both are counts of work, in one unit."""

    seconds: Callable[[Kernel], float]
    cost: Callable[[Kernel], float]


def save(
    low: Lowered, sequence: Sequence[int], limit: int, price: Price, trade: Trade, most: float = inf
) -> tuple[Lowered, list[int]] | None:
    """(a program that does the same as ``low``, its order) with at most ``limit`` bytes live, at the least cost found,
    or None; where ``trade`` asks for the least, with the fewest bytes found.

    sequence: an order of ``low``, where the search starts. It may get slower by ``trade.slowdown``, and take ``most``
    seconds.
    """
    search = Search(low, price.seconds, price.cost, trade)
    most = min(most, trade.slowdown * search.seconds(sequence))
    if trade.least:
        return _least(low, search, sequence, most)
    found = search.below(sequence, limit, most)
    return found and expand(low, search.facts.kernels, search.lean(found, limit, sequence))


def _least(low: Lowered, search: Search, sequence: Sequence[int], most: float) -> tuple[Lowered, list[int]]:
    now = list(sequence)
    peak = search.peak(now)
    while True:
        lower = search.below(now, min(peak - 1, int(peak * STEP)), most)
        if lower is None:
            break
        now, peak = lower, search.peak(lower)
    made, order = expand(low, search.facts.kernels, search.lean(now, peak, sequence))
    # With the repeats as kernels of their own, another order may be better still.
    other = list(lowest_peak(made, bound_of_any_order(made)))
    return made, min(order, other, key=lambda o: bound_of_order(made, o))


def least_any(low: Lowered) -> int:
    """Bytes that no sequence of the kernels of ``low`` can do without, whatever it makes again or pages: one kernel's
    operands, results and scratch, less what it may write in place; and the results of the program, all at once."""
    size = {i.id: i.spec.bytes for i in low.instances if i.region == ARENA}
    outputs = sum(size.get(i, 0) for i in set(low.outputs.values()))
    kernels = (
        sum(size.get(i, 0) for i in k.touches) - shared_bytes(k.inplace, k.writes, k.reads, size.keys() & set(k.reads), size)
        for k in low.kernels
    )
    return max([outputs, *kernels])
