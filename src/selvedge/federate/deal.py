"""How the samples of one data set are dealt to devices, to see beforehand how a run would go."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import InvalidInput

Array = npt.NDArray[Any]
Indices = npt.NDArray[np.intp]
HOW = "give iid, by-column, or dirichlet:ALPHA, as dirichlet:0.3"


def check(how: str) -> float:
    """alpha of ``dirichlet:ALPHA``, 0 of the others. Raises ``InvalidInput``."""
    if how in ("iid", "by-column"):
        return 0.0
    kind, _, text = how.partition(":")
    try:
        alpha = float(text) if kind == "dirichlet" else 0.0
    except ValueError:
        alpha = 0.0
    if not 0 < alpha < float("inf"):
        raise InvalidInput("--split", how or "empty", HOW)
    return alpha


def deal(how: str, count: int, y: Array | None, groups: Array | None, samples: int, seed: int) -> list[Indices]:
    """The samples of each of ``count`` devices, none of which has none.

    ``iid``: shuffled, in equal parts. ``by-column``: the samples of a group (a person, a machine) stay together; 0
    devices: one a group. ``dirichlet:ALPHA``: of each class a device has a share drawn from Dirichlet(ALPHA, ...), so
    that a small ALPHA gives each device few classes (Yurochkin et al., ICML 2019, arXiv:1905.12022, section 4).

    y: int [n], the classes; groups: [n]; None where there are none. Raises ``InvalidInput``.
    """
    alpha, random = check(how), np.random.default_rng([41, seed])
    if how == "by-column":
        return _grouped(groups, count)
    if not 1 <= count <= samples:
        raise InvalidInput("--clients", count, f"there are {samples} training samples: give 1 to {samples}")
    if how == "iid":
        return [np.sort(part) for part in np.array_split(random.permutation(samples), count)]
    if y is None or y.ndim != 1 or y.dtype.kind not in "iu":
        raise InvalidInput("--split", how, "that goes by classes, and this data has none: give iid")
    parts: list[list[Indices]] = [[] for _ in range(count)]
    for label in np.unique(y):
        rows = random.permutation(np.flatnonzero(y == label))
        ends = np.cumsum(random.dirichlet(np.full(count, alpha)))[:-1]
        for i, part in enumerate(np.split(rows, np.int64(ends * len(rows)))):
            parts[i].append(part)
    dealt = [np.sort(np.concatenate(part)) for part in parts]
    for i in range(count):
        if not len(dealt[i]):  # a device without samples is no device
            most = max(range(count), key=lambda j: len(dealt[j]))
            dealt[i], dealt[most] = dealt[most][-1:], dealt[most][:-1]
    return dealt


def _grouped(groups: Array | None, count: int) -> list[Indices]:
    if groups is None:
        fix = "the data has no groups: name their column, as --data x.csv:group=person, or {group} in a pattern"
        raise InvalidInput("--split", "by-column", fix)
    names, sizes = np.unique(groups.astype(str), return_counts=True)
    count = count or len(names)
    if not 1 <= count <= len(names):
        raise InvalidInput("--clients", count, f"there are {len(names)} groups to train on: give at most that")
    held: list[list[str]] = [[] for _ in range(count)]
    loads = [0] * count
    for i in np.argsort(-sizes, kind="stable"):  # the largest first, each to who has least
        least = loads.index(min(loads))
        held[least].append(str(names[i]))
        loads[least] += int(sizes[i])
    return [np.flatnonzero(np.isin(groups.astype(str), part)) for part in held]
