"""From a lowered program that is too large to one that fits, or to the smallest within a multiple of its time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from ..bound import bound_of_any_order, bound_of_order
from ..kernel import ARENA, Kernel, Lowered
from ..order import shared_bytes
from ..search import lowest_peak
from ..trade import Trade
from .exact import MOST, Solved, solve
from .expand import expand
from .search import Search

STEP = 0.97  # how far the limit of a descent to the least bytes goes down at a time
ROUNDS = 3  # of descent and new order
SMALL = 120  # kernels of a program for which several ways down are tried


@dataclass(frozen=True, slots=True)
class Price:
    """What one run of a kernel costs: ``seconds`` limits the search, ``cost`` is what it gives up least of. Where the
    device has no figures both are counts of work, in one unit."""

    seconds: Callable[[Kernel], float]
    cost: Callable[[Kernel], float]


def save(
    low: Lowered, sequence: Sequence[int], limit: int, price: Price, trade: Trade, most: float
) -> tuple[Lowered, list[int]] | None:
    """(a program that does the same as ``low``, its order) with at most ``limit`` bytes live, at the least cost found,
    or None; where ``trade`` asks for the least, with the fewest bytes found.

    sequence: an order of ``low``, where the search starts. What it finds takes at most ``most`` seconds.
    """
    search = Search(low, price.seconds, price.cost, trade)
    found = _least(search, sequence, most) if trade.least else _within(search, sequence, limit, most)
    return None if found is None else expand(low, search.facts.kernels, found)


def _within(search: Search, sequence: Sequence[int], limit: int, most: float) -> list[int] | None:
    """The cheapest sequence found of at most ``limit`` bytes."""
    found = search.below(sequence, limit, most)
    if found is None and len(sequence) <= SMALL:  # by more ways than one, and as far down as they lead
        least = _least(search, sequence, most)
        # Where the program leaves out results that nothing reads, it needs less than its sequence.
        found = least if bound_of_order(*expand(search.low, search.facts.kernels, least)) <= limit else None
    if found is not None:
        found = search.lean(found, limit, sequence)
    best = _exact(search, found or sequence, limit, most)
    if best is not None and best.bytes <= limit and (found is None or best.cost < search.cost(found)):
        found = list(best.sequence)
    return found


def _least(search: Search, sequence: Sequence[int], most: float) -> list[int]:
    """The sequence of the fewest bytes found: of those that the descents from several orders end in."""
    ways = [_descent(search, sequence, most)]
    if len(sequence) <= SMALL:
        ways += [way(search, start, most) for start in _starts(search, sequence) for way in (_descent, _bisected)]
    found = min(ways, key=search.peak)
    best = _exact(search, found, None, most)
    return list(best.sequence) if best is not None and best.bytes < search.peak(found) else found


def _starts(search: Search, sequence: Sequence[int]) -> Iterator[Sequence[int]]:
    yield sequence
    natural = [k.id for k in search.low.kernels]  # forward, then backward, then the updates
    if natural != list(sequence) and search.fits(natural):
        yield natural


def _descent(search: Search, sequence: Sequence[int], most: float) -> list[int]:
    now, peak = list(sequence), search.peak(sequence)
    for _ in range(ROUNDS):
        start = peak
        while (lower := search.below(now, min(peak - 1, int(peak * STEP)), most)) is not None:
            now, peak = lower, search.peak(lower)
        now = search.lean(now, peak, sequence)
        # With the repeats as kernels of their own, another order may be better still, and open a way further down.
        made, _ = expand(search.low, search.facts.kernels, now)
        other = [now[k] for k in lowest_peak(made, bound_of_any_order(made))]
        if search.fits(other) and search.peak(other) < peak:
            now, peak = other, search.peak(other)
        elif peak == start:
            break
    return now


def _bisected(search: Search, sequence: Sequence[int], most: float) -> list[int]:
    """The lowest limit that a descent straight down from ``sequence`` reaches."""
    best = list(sequence)
    low, high = least_any(search.low) - 1, search.peak(sequence)
    while high - low > max(1, high // 128):
        middle = (low + high) // 2
        found = search.below(sequence, middle, most)
        if found is None:
            low = middle
        else:
            best, high = found, search.peak(found)
    return search.lean(best, high, sequence)


def _exact(search: Search, start: Sequence[int], limit: int | None, most: float) -> Solved | None:
    """The solver's answer, for a program that is small enough."""
    if len(search.low.kernels) > MOST:
        return None
    return solve(search.facts, start, search.once, limit=limit, most=most)


def least_any(low: Lowered) -> int:
    """Bytes that no sequence of the kernels of ``low`` can do without, whatever it makes again or pages: one kernel's
    operands, results and scratch, less what it may write in place; and the results of the program, all at once."""
    size = {i.id: i.spec.bytes for i in low.instances if i.region == ARENA}
    outputs = sum(size.get(i, 0) for i in set(low.outputs.values()))
    kernels = (
        sum(size.get(i, 0) for i in k.touches) - shared_bytes(k, size.keys() & set(k.reads), size) for k in low.kernels
    )
    return max([outputs, *kernels])
