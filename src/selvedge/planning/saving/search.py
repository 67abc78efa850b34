"""Which values to let go and make again, or read back, so that a program fits.

A greedy descent on sequences with repeats (trace.py). At the highest point of the profile every value that is live but
not in use may go: its maker, or a cheaper kernel that does the same (variants.py), runs again before its next reader;
what that kernel reads is still there, or is kept, or is made again in turn - three ways, all tried. Or it is written to
storage and read back. The best bargain of bytes above the limit for cost is taken, until nothing stands above it; then
what turned out not to be needed is taken out again.

Kumar et al., *Efficient rematerialization for deep networks*, NeurIPS 2019, and Kirisame et al., *Dynamic tensor
rematerialization*, ICLR 2021, choose by such bargains too; the bargain here is measured by replaying, not estimated.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from math import inf

import numpy as np

from ..kernel import Kernel, Lowered
from ..trade import Trade
from .trace import Facts, Log, profile, touches
from .variants import derived, pruned

DEPTH = 40  # kernels run again for one value
WAYS = ("again", "mixed", "keep")
SMALL, TINY = 8, 256  # a value of an eighth of what is let go may be worth keeping; of less than this always is
CRUMB = 2048  # parts of the limit: letting a value smaller than one of them go takes many moves to matter
ONCE = frozenset(("cross_entropy", "ctc"))  # they check the labels


@dataclass(frozen=True, slots=True)
class _Move:
    """Runs to insert ahead of position ``before``, so that a value is there again. gain: the most bytes x kernels that
    it can take away above the limit. out: the run that writes it to storage, and where."""

    chain: tuple[int, ...]
    before: int
    gain: float
    out: tuple[int, int] | None = None


@dataclass(slots=True)
class Search:
    """A search over sequences of ``low``, by kernel id of ``facts.kernels``."""

    low: Lowered
    time: Callable[[Kernel], float]
    price: Callable[[Kernel], float]
    trade: Trade
    facts: Facts = field(init=False)
    once: frozenset[int] = frozenset()  # kernels that run exactly once: updates, and what the updates wait for
    makers: dict[int, list[int]] = field(default_factory=dict)  # instance -> kernels that make it, the cheapest first
    stored: dict[int, tuple[int, int]] = field(default_factory=dict)  # instance -> (page out, page in)

    def __post_init__(self) -> None:
        self.facts = Facts.of(self.low, self.price, self.time)
        self.once = frozenset(
            k.id for k in self.low.kernels if self.facts.updates[k.id] or k.family in ONCE or self.low.gate in k.writes
        )
        if self.trade.recompute:
            self._makers()
        if self.trade.page:
            self._pages()

    def _makers(self) -> None:
        """Every kernel that may run again, and the cheaper ones that make one of its results."""
        low, facts = self.low, self.facts
        instances = {i.id: i for i in low.instances}
        for k in low.kernels:
            if k.id in self.once:
                continue
            for w in k.writes:
                options = (derived(k, w, instances), pruned(k, (w,), instances)) if len(k.writes) > 1 else ()
                ids = [self._add(option) for option in options if option is not None]
                self.makers[w] = sorted([*ids, k.id], key=lambda i: (facts.cost[i], i))

    def _pages(self) -> None:
        outputs, labels = set(self.low.outputs.values()), {i.id: i.label for i in self.low.instances}
        for i, size in self.facts.size.items():
            if i not in outputs and not any(k.scratch == i for k in self.low.kernels):
                about = {"bytes": size, "of": i}
                label = labels[i]
                out = Kernel(0, "page_out", (i,), (), about, 1, label=f"page out {label}")
                back = Kernel(0, "page_in", (), (i,), about, label=f"page in {label}")
                self.stored[i] = (self._add(out), self._add(back))

    def _add(self, kernel: Kernel) -> int:
        number = max(self.facts.kernels, default=-1) + 1
        self.facts.add(replace(kernel, id=number))
        return number

    # -- what a sequence takes ---------------------------------------------------------------------------------------

    def seconds(self, sequence: Sequence[int]) -> float:
        return sum(map(self.facts.seconds.__getitem__, sequence))

    def cost(self, sequence: Sequence[int]) -> float:
        return sum(map(self.facts.cost.__getitem__, sequence))

    def peak(self, sequence: Sequence[int]) -> int:
        """Most transient bytes live at a time."""
        return max(profile(self.facts, sequence), default=0)

    # -- the descent -------------------------------------------------------------------------------------------------

    def below(self, sequence: Sequence[int], limit: int, most: float = inf) -> list[int] | None:
        """``sequence`` with evictions, with at most ``limit`` bytes live at any point and ``most`` seconds; None if the
        descent ends above."""
        now = list(sequence)
        line = profile(self.facts, now)
        while max(line, default=0) > limit:
            # Crumbs only where nothing of a size that matters is left.
            found = self._best(now, line, limit, most, limit // CRUMB) or self._best(now, line, limit, most, 0)
            if found is None:
                return None
            now, line = found
        return now

    def _best(
        self, now: list[int], line: list[int], limit: int, most: float, least: int
    ) -> tuple[list[int], list[int]] | None:
        above, paid, spent = _above(line, limit), self.cost(now), self.seconds(now)
        moves: list[tuple[float, int, _Move]] = []
        for move in self._moves(now, line, limit, least):
            runs = move.chain if move.out is None else (*move.chain, move.out[0])
            if spent + self.seconds(runs) <= most:
                moves.append((move.gain / max(self.cost(runs), 1e-12), len(moves), move))
        moves.sort(key=lambda m: (-m[0], m[1]))
        best, best_worth = None, 0.0
        for promise, _, move in moves:
            if promise <= best_worth:
                break  # nothing that follows can be worth more
            other = self._made(now, move)
            try:
                its = profile(self.facts, other)
            except ValueError:
                continue  # it reads what is no longer there
            gain, more = above - _above(its, limit), self.cost(other) - paid
            if gain > 0 and gain / max(more, 1e-12) > best_worth:
                best, best_worth = (other, its), gain / max(more, 1e-12)
        return best

    def _made(self, now: list[int], move: _Move) -> list[int]:
        other = [*now[: move.before], *move.chain, *now[move.before :]]
        if move.out is None:
            return other
        run, at = move.out
        if run in other[:at]:
            return other
        return [*other[:at], run, *(k for k in other[at:] if k != run)]

    def _moves(self, now: list[int], line: list[int], limit: int, least: int) -> Iterator[_Move]:
        """Ways to let a value of at least ``least`` bytes go that is live at the peak, and idle there."""
        high = np.maximum(np.asarray(line, np.int64) - limit, 0)
        peak = int(high.argmax())
        seen = touches(self.facts, now)
        done: list[set[str]] = []  # by position: state that is new by then
        new: set[str] = set()
        for k in now:
            done.append(new)
            new = new | self.facts.updates[k] if self.facts.updates[k] else new
        for i, log in seen.items():
            if self.facts.size[i] < least:
                continue
            place = bisect_left(log, (peak, False))
            if not 0 < place < len(log) or log[place][0] == peak or log[place][1]:
                continue  # in use here, dead here, or made again anyway
            left, before = log[place - 1][0], log[place][0]
            gain = float(np.minimum(high[left + 1 : before], self.facts.size[i]).sum())
            for chain in self._chains(i, before, peak, seen, done[before]):
                yield _Move(chain, before, gain)
            if i in self.stored:
                out, back = self.stored[i]
                yield _Move((back,), before, gain, (out, left + 1))

    def _chains(
        self, wanted: int, before: int, peak: int, seen: dict[int, Log], done: set[str]
    ) -> Iterator[tuple[int, ...]]:
        tried: set[tuple[int, ...]] = set()
        for maker in self.makers.get(wanted, ()):
            for way in WAYS:
                chain = self._chain(maker, wanted, before, peak, way, seen, done)
                if chain is not None and chain not in tried:
                    tried.add(chain)
                    yield chain

    def _chain(
        self, maker: int, wanted: int, before: int, peak: int, way: str, seen: dict[int, Log], done: set[str]
    ) -> tuple[int, ...] | None:
        """Kernels to run, in order, just ahead of position ``before``, so that ``wanted`` is there again. done: state
        that has been updated by then."""
        facts = self.facts
        chain: list[int] = []
        made = {wanted}

        def run(k: int) -> bool:
            if facts.old[k] & done or len(chain) > DEPTH:
                return False  # it would read a weight that is new by then
            for r in facts.reads[k]:
                log = seen.get(r, [])
                place = bisect_left(log, (before, False))
                if r in made or (0 < place < len(log) and not log[place][1]):
                    continue  # there anyway
                last = log[place - 1][0] if place else -1
                times = facts.size[wanted] // max(1, facts.size[r])
                if r not in self.makers or way == "keep" or times >= TINY:
                    continue
                if way == "mixed" and (last > peak or times >= SMALL):
                    continue
                made.add(r)
                if not run(self.makers[r][0] if r not in facts.writes[k] else self.makers[r][-1]):
                    return False
            chain.append(k)
            return True

        return tuple(chain) if run(maker) else None

    # -- tidying -----------------------------------------------------------------------------------------------------

    def lean(self, sequence: Sequence[int], limit: int, first: Sequence[int]) -> list[int]:
        """``sequence`` without the repeats that ``limit`` does not need, the dearest left out first. first: the
        kernels that must run at least once."""
        now, must = list(sequence), set(first)
        while True:
            counts: dict[int, int] = {}
            for k in now:
                counts[k] = counts.get(k, 0) + 1
            runs = [p for p, k in enumerate(now) if counts[k] > 1 or k not in must]
            gone: set[int] = set()
            for p in sorted(runs, key=lambda p: (-self.facts.cost[now[p]], -p)):
                if now[p] in must and counts[now[p]] == 1:
                    continue
                fewer = [k for at, k in enumerate(now) if at != p and at not in gone]
                if self.fits(fewer, limit):
                    gone.add(p)
                    counts[now[p]] -= 1
            if not gone:
                return now
            now = [k for at, k in enumerate(now) if at not in gone]

    def fits(self, sequence: Sequence[int], limit: int | None = None) -> bool:
        """Does ``sequence`` make sense, and is no more than ``limit`` bytes live at any point?"""
        try:
            line = profile(self.facts, sequence)
            return (limit is None or max(line, default=0) <= limit) and self._sound(sequence)
        except ValueError:
            return False

    def _sound(self, sequence: Sequence[int]) -> bool:
        """Does every kernel read the weights as they were before their update, and storage what was written there; and
        does every update wait for the loss?"""
        done: set[str] = set()
        ran: set[int] = set()
        written: set[int] = set()
        for k in sequence:
            if k in self.facts.waits and not self.facts.waits[k] <= ran:
                return False
            ran.add(k)
            kernel = self.facts.kernels[k]
            if self.facts.old[k] & done:
                return False
            done |= self.facts.updates[k]
            if kernel.family == "page_out":
                written.add(kernel.params["of"])
            if kernel.family == "page_in" and kernel.params["of"] not in written:
                return False
        return True


def _above(line: Sequence[int], limit: int) -> int:
    return sum(n - limit for n in line if n > limit)
