"""How many channels each group keeps: the cheapest to lose go first, until the target is met."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import torch

from .cost import RESOURCES, Amounts, Costs, Sizes, add, shares
from .groups import Group


def met(now: Amounts, start: Amounts, target: Mapping[str, float]) -> bool:
    """Whether every share that is wanted is kept, to a billionth of it."""
    have = shares(now, start)
    return all(have[k] <= v * (1 + 1e-9) for k, v in target.items())


def globally(
    found: Sequence[Group],
    scores: Sequence[torch.Tensor],
    costs: Costs,
    widths: Sequence[Sequence[int]],
    start: Amounts,
    target: Mapping[str, float],
    adds: bool,
) -> list[int]:
    """Atoms that each group keeps, chosen over all groups together.

    A move takes a group to its next narrower width, and costs the scores of its atoms that score least. Where scores
    add up (``adds``: they estimate what the loss rises by) the move of the least sum a share saved is made, as a
    knapsack is filled by density; else the one of the least mean. What proves to be more than was needed is given back.
    """
    kept, at = [g.size for g in found], [0] * len(found)
    ranked = [torch.sort(s)[0].double() for s in scores]
    now: dict[str, Sizes] = {}
    total, moves = costs.total(now), list[int]()
    keys: dict[int, float] = {}
    while not met(total, start, target):
        for i, group in enumerate(found):
            if i in keys or at[i] + 1 == len(widths[i]):
                continue
            chunk = ranked[i][group.size - kept[i] : group.size - widths[i][at[i] + 1]]
            keys[i] = float(chunk.mean())
            if adds:
                saved = _saved(costs, now, group, len(chunk), start, total, target)
                keys[i] = float(chunk.sum()) / saved if saved > 0 else math.inf
        if not keys:
            break
        best = min(keys, key=lambda i: (keys[i], i))
        wider = kept[best]
        at[best] += 1
        kept[best] = widths[best][at[best]]
        before = {m.layer: now.get(m.layer, costs.sizes[m.layer]) for m in found[best].members}
        after = costs.shrunk(now, found[best], wider - kept[best])
        total = _moved(costs, total, before, after)
        now |= after
        moves.append(best)
        del keys[best]
        for i in list(keys):  # what the others save has changed where they share a layer
            if adds and any(m.layer in after for m in found[i].members):
                del keys[i]
    return _given_back(moves, kept, at, found, costs, widths, start, target)


def by_layer(
    found: Sequence[Group], costs: Costs, widths: Sequence[Sequence[int]], start: Amounts, target: Mapping[str, float]
) -> list[int]:
    """The same share of every group, as far as widths allow: the least share with which the target is met."""
    cuts = sorted({1 - k / g.size for g, options in zip(found, widths, strict=True) for k in options})

    def at(share: float) -> list[int]:
        return [
            min(k for k in options if k >= (1 - share) * g.size - 1e-9)
            for g, options in zip(found, widths, strict=True)
        ]

    low, high = 0, len(cuts) - 1
    while low < high:
        middle = (low + high) // 2
        if met(costs.total(_sizes(costs, found, at(cuts[middle]))), start, target):
            high = middle
        else:
            low = middle + 1
    return at(cuts[low])


def _given_back(
    moves: Sequence[int], kept: list[int], at: list[int], found: Sequence[Group], costs: Costs,
    widths: Sequence[Sequence[int]], start: Amounts, target: Mapping[str, float],
) -> list[int]:  # fmt: skip
    """Undo moves from the last one back, each that is not needed; of a group none behind one that is."""
    done = set[int]()
    for i in reversed(moves):
        if i in done:
            continue
        tried = list(kept)
        tried[i] = widths[i][at[i] - 1]
        if met(costs.total(_sizes(costs, found, tried)), start, target):
            kept, at[i] = tried, at[i] - 1
        else:
            done.add(i)
    return kept


def _sizes(costs: Costs, found: Sequence[Group], kept: Sequence[int]) -> dict[str, Sizes]:
    now: dict[str, Sizes] = {}
    for group, count in zip(found, kept, strict=True):
        now |= costs.shrunk(now, group, group.size - count)
    return now


def _moved(costs: Costs, total: Amounts, before: Mapping[str, Sizes], after: Mapping[str, Sizes]) -> Amounts:
    for name, sizes in after.items():
        a, b, c, d = costs.layers[name].at(*before[name])
        total = add(total, costs.layers[name].at(*sizes), (-a, -b, -c, -d))
    return total


def _saved(
    costs: Costs, now: Mapping[str, Sizes], group: Group, count: int, start: Amounts, total: Amounts,
    target: Mapping[str, float],
) -> float:  # fmt: skip
    """Shares saved of what is still too much, summed."""
    before = {m.layer: now.get(m.layer, costs.sizes[m.layer]) for m in group.members}
    after = _moved(costs, total, before, costs.shrunk(now, group, count))
    have = shares(total, start)
    found = 0.0
    for resource, was, then in zip(RESOURCES, total, after, strict=True):
        if resource in target and have[resource] > target[resource]:
            found += (was - then) / start[list(RESOURCES).index(resource)]
    return found
