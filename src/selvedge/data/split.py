"""Which samples train, validate and test: stratified by class, seeded, and never a group on both sides."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from ..errors import InvalidInput
from .dataset import PARTS, Indices


def split(
    classes: npt.NDArray[np.intp],
    groups: Sequence[str] | None,
    shares: tuple[float, float, float],
    seed: int,
    names: Sequence[str] = (),
) -> dict[str, Indices]:
    """Part -> sorted sample numbers. classes [n]: what to stratify by (zeros: nothing). shares: of the three parts.

    Without groups every class is dealt to the parts by its share, at least one sample each. With groups whole groups
    go to the part that lacks their classes most. Raises ``InvalidInput`` where a part would stay empty.
    """
    random = np.random.default_rng([seed, 0x5917])
    part = _dealt(classes, shares, random, names) if groups is None else _grouped(classes, groups, shares, random)
    made = {name: np.flatnonzero(part == i) for i, name in enumerate(PARTS)}
    for i in np.unique(classes) if groups is not None else ():
        if not (classes[made["train"]] == i).any():
            name = names[i] if names else "its samples"
            raise InvalidInput("class", name, "only groups held out for validation or test have it: leave group out")
    return made


def given(parts: Sequence[str], classes: npt.NDArray[np.intp], share: float, seed: int) -> dict[str, Indices]:
    """The parts that the folders name; what they lack of validation or test is dealt from training."""
    part = np.array([PARTS.index(p) for p in parts])
    random = np.random.default_rng([seed, 0x5917])
    for missing in (1, 2):
        if not (part == missing).any():
            rows = np.flatnonzero(part == 0)
            dealt = _dealt(classes[rows], (1 - share, share, 0.0), random, ())
            part[rows[dealt == 1]] = missing
    return {name: np.flatnonzero(part == i) for i, name in enumerate(PARTS)}


def _dealt(
    classes: npt.NDArray[np.intp],
    shares: tuple[float, float, float],
    random: np.random.Generator,
    names: Sequence[str],
) -> npt.NDArray[np.intp]:
    part = np.zeros(len(classes), np.intp)
    wanted = [i for i in (1, 2) if shares[i] > 0]
    for label in np.unique(classes):
        rows = random.permutation(np.flatnonzero(classes == label))
        if len(rows) < 1 + len(wanted):
            what = f"of class {names[label]}" if names else "in all"
            fix = f"give at least {1 + len(wanted)}: one each to train, to validate and to test"
            raise InvalidInput("samples", f"{len(rows)} {what}", fix)
        taken = 0
        for i in wanted:
            count = min(max(1, round(shares[i] * len(rows))), len(rows) - 1 - taken)
            part[rows[taken : taken + max(1, count)]] = i
            taken += max(1, count)
    return part


def _grouped(
    classes: npt.NDArray[np.intp],
    groups: Sequence[str],
    shares: tuple[float, float, float],
    random: np.random.Generator,
) -> npt.NDArray[np.intp]:
    names, member = np.unique(np.asarray(groups, str), return_inverse=True)
    wanted = [i for i in range(3) if shares[i] > 0]
    if len(names) < len(wanted):
        fix = f"at least {len(wanted)} groups are needed, one each to train, to validate and to test; leave group out"
        raise InvalidInput("group", ", ".join(names), fix)
    counts = np.zeros((len(names), int(classes.max()) + 1))
    np.add.at(counts, (member, classes), 1)
    target = np.outer(shares, counts.sum(0))
    now = np.zeros_like(target)
    home = np.full(len(names), -1)
    shuffled = random.permutation(len(names))
    # The largest first: the small ones then even out what the large ones left.
    for taken, group in enumerate(sorted(shuffled, key=lambda g: -counts[g].sum())):
        empty = [i for i in wanted if not (home == i).any()]
        open_to = empty if len(empty) >= len(names) - taken else wanted
        lack = {i: float(counts[group] @ ((target[i] - now[i]) / np.maximum(target[i], 1e-9))) for i in open_to}
        best = max(lack, key=lambda i: lack[i])
        home[group] = best
        now[best] += counts[group]
    # A class that only held-out groups have cannot be learnt: its smallest group changes over, if it leaves others.
    for label in np.flatnonzero(counts.sum(0)):
        able = [g for g in np.flatnonzero(counts[:, label]) if (home == home[g]).sum() > 1]
        if able and not counts[home == 0, label].any():
            home[min(able, key=lambda g: counts[g].sum())] = 0
    return home[member]
