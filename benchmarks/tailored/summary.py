"""What all cases say together: a person is a sample, the mean over seeds of whom is one number."""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from selvedge.device.sizes import parse_bytes
from selvedge.make.searching.score import ranked

from .experiment import BOTH, LEARN, PREDICT, Case, Row, budgets, picked

ORACLE = f"{PREDICT}, the best way on the tests"
WAYS = (PREDICT, BOTH, ORACLE, LEARN)


@dataclass(frozen=True, slots=True)
class Difference:
    """Of accuracies, of ``people``: mean, its standard error over them (None of one person), and of how many it is
    above and below 0."""

    mean: float
    error: float | None
    people: int
    better: int
    worse: int

    @classmethod
    def of(cls, each: Sequence[float]) -> Difference:
        values = np.array(each)
        error = float(values.std(ddof=1) / np.sqrt(len(values))) if len(values) > 1 else None
        return cls(float(values.mean()), error, len(values), int((values > 0).sum()), int((values < 0).sum()))

    @property
    def judged(self) -> str:
        """ "better" or "worse" beyond two standard errors, else "open"."""
        if self.error is None:
            return "open"
        return "better" if self.mean > 2 * self.error else "worse" if self.mean < -2 * self.error else "open"


Told = Mapping[str, Mapping[int, Sequence[float]]]  # way -> count -> accuracy of each person


@dataclass(frozen=True, slots=True)
class Summary:
    """Of a task. ``told``: for each way; ``chosen``: way -> accuracies at the count that the judges find best;
    ``gained``: by count, of what was chosen to learn over what was chosen to predict; ``beyond``: at the last count,
    over its other two ways; ``tests_error``: of all three the standard error over tests or over seeds, the larger, as
    in :mod:`benchmarks.answers`; ``swept``: (run, train) -> accuracies of both, and what is gained, at the last count.
    ``taken``: way -> how often each network and way of learning was; ``ram``: way -> bytes to run and to train, means.
    ``agreed``: for each case the rank correlation of what its judges and its people say of all that keeps the budget;
    ``foreseen``: accuracy of each person in what an oracle would have taken of that.
    """

    cases: int
    seeds: int
    people: int
    tests: int
    dummy: float
    told: Told
    chosen: Mapping[str, Sequence[float]]
    gained: Mapping[int, Difference]
    beyond: Mapping[str, Difference]
    tests_error: Mapping[str, float]
    swept: Mapping[tuple[int, int], tuple[float, float, Difference] | None]
    taken: Mapping[str, Counter[str]]
    ram: Mapping[str, tuple[float, float]]
    agreed: Sequence[float]
    foreseen: Sequence[float]


def summary(cases: Sequence[Case], task: str) -> Summary | None:
    """None where there is no case. Raises ``ValueError`` for cases of several settings."""
    own = [c for c in cases if c["task"] == task]
    if not own:
        return None
    if any(c["settings"] != own[0]["settings"] for c in own):
        raise ValueError(f"{task}: cases of several settings: remove those of the old ones")
    last = own[0]["settings"]["learn"]
    counts = [0, *own[0]["settings"]["counts"]]
    taken = {way: [taken_by(c, way) for c in own] for way in WAYS}
    told = {w: {n: _people(own, [right(c, r, n) for c, r in zip(own, taken[w], strict=True)]) for n in counts}
            for w in WAYS}  # fmt: skip
    chosen = {
        way: _people(own, [right(c, r, favourite(r)) for c, r in zip(own, taken[way], strict=True)])
        for way in (PREDICT, LEARN)
    }
    kept = [_kept(c) for c in own]
    best = [max(rows, key=partial(_share, c, count=last)) for c, rows in zip(own, kept, strict=True)]
    return Summary(
        len(own), len({c["seed"] for c in own}), len(told[LEARN][last]), sum(sum(c["samples"][2]) for c in own),
        float(np.mean(np.concatenate([c["dummy"] for c in own]))), told, chosen,
        {n: _gained(told[LEARN][n], told[PREDICT][n]) for n in counts},
        {way: _gained(told[LEARN][last], told[way][last]) for way in (BOTH, ORACLE)},
        {way: _error(own, taken[LEARN], taken[way], last) for way in (PREDICT, BOTH, ORACLE)},
        {b: _at(own, b, last) for b in budgets(own[0]["settings"])},
        {way: Counter(_named(r) for r in rows) for way, rows in taken.items()},
        {way: (_mean([r["run"] for r in rows]), _mean([r["train"] for r in rows])) for way, rows in taken.items()},
        [_correlation([r["learnt"] for r in rows], [_share(c, r, last) for r in rows])
         for c, rows in zip(own, kept, strict=True)],
        _people(own, [right(c, r, last) for c, r in zip(own, best, strict=True)]),
    )  # fmt: skip


def taken_by(case: Case, way: str) -> Row:
    """The row of a case, under its budget."""
    run, train = (parse_bytes(case["settings"][k], k) for k in ("run", "train"))
    rows, last = case["rows"], case["settings"]["learn"]
    at = picked(rows, case["networks"], PREDICT if way == ORACLE else way, run, train, case["judged"])
    assert at is not None
    row: Row = rows[at]
    if way != ORACLE:
        return row
    same = [r for r in rows if r["network"] == row["network"] and r["train"] <= train]
    return max(same, key=lambda r: _share(case, r, last))


def right(case: Case, row: Row, count: int) -> list[np.ndarray]:
    """For each person of the case bool [tests]."""
    sizes = case["samples"][2]
    bits = np.unpackbits(np.frombuffer(base64.b64decode(row["right"][str(count)]), np.uint8), count=sum(sizes))
    return np.split(bits.astype(bool), np.cumsum(sizes)[:-1])


def _kept(case: Case) -> list[Row]:
    """The rows that keep the case's budget."""
    run, train = (parse_bytes(case["settings"][k], k) for k in ("run", "train"))
    return [r for r in case["rows"] if r["run"] <= run and r["train"] <= train]


def _share(case: Case, row: Row, count: int) -> float:
    return float(np.concatenate(right(case, row, count)).mean())


def _correlation(a: Sequence[float], b: Sequence[float]) -> float:
    """Of ranks, equals sharing theirs (Spearman); 0 where one side has one rank for all."""
    ranks = np.array([ranked([values]) for values in (a, b)])
    return float(np.corrcoef(ranks)[0, 1]) if (ranks.std(axis=1) > 0).all() else 0.0


def favourite(row: Row) -> int:
    """The count at which the people who chose were told right most often, the first of equals."""
    judged: Mapping[str, float] = row["judged"]
    return int(max(judged, key=lambda n: (judged[n], -int(n))))


def _named(row: Row) -> str:
    return f"{row['network']}, {row['update']}" + (", bounded" if row["bounded"] else "")


def _people(own: Sequence[Case], answers: Sequence[Sequence[np.ndarray]]) -> list[float]:
    """Accuracy of each person in order, the mean over seeds."""
    found: dict[int, list[float]] = {}
    for case, each in zip(own, answers, strict=True):
        for who, one in zip(case["people"], each, strict=True):
            found.setdefault(who, []).append(float(one.mean()))
    return [float(np.mean(found[who])) for who in sorted(found)]


def _error(own: Sequence[Case], more: Sequence[Row], less: Sequence[Row], count: int) -> float:
    """Of the paired difference: over the tests of all, or over seeds, whichever is more."""
    by_seed: dict[int, list[np.ndarray]] = {}
    for case, a, b in zip(own, more, less, strict=True):
        both = (np.concatenate(right(case, row, count)).astype(float) for row in (a, b))
        by_seed.setdefault(case["seed"], []).append(next(both) - next(both))
    each = [np.concatenate(parts) for parts in by_seed.values()]
    error = float(np.std(np.concatenate(each), ddof=1) / np.sqrt(sum(map(len, each))))
    seeds = float(np.std([part.mean() for part in each], ddof=1) / np.sqrt(len(each))) if len(each) > 1 else 0.0
    return max(error, seeds)


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values))


def _gained(more: Sequence[float], less: Sequence[float]) -> Difference:
    return Difference.of([a - b for a, b in zip(more, less, strict=True)])


def _at(own: Sequence[Case], budget: tuple[int, int], last: int) -> tuple[float, float, Difference] | None:
    """Under another budget; None where in some case nothing keeps it."""
    made: dict[str, Any] = {}
    for way in (LEARN, PREDICT):
        at = [picked(c["rows"], c["networks"], way, *budget, c["judged"]) for c in own]
        if any(i is None for i in at):
            return None
        made[way] = _people(own, [right(c, c["rows"][i], last) for c, i in zip(own, at, strict=True)])
    return float(np.mean(made[PREDICT])), float(np.mean(made[LEARN])), _gained(made[LEARN], made[PREDICT])
