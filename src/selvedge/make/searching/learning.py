"""What a planned candidate learns of a person whom it has not met: by compiled code, as the device would."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...run.calls import NotFinite
from ...run.session import Session
from ..compile import compile as compile_plan
from ..plan import Plan
from .material import Material, Pair, Person

RATES = (0.0003, 0.001, 0.003, 0.01, 0.03, 0.1)
WORST = 2.0  # of a Brier score: all of it on one wrong class
BEGIN = 3  # where the way up or down the rates begins


Score = tuple[float, float]  # accuracy, and the Brier score, negative: more is better


@dataclass(frozen=True, slots=True)
class Learnt:
    """Accuracies on the people's later samples: ``shipped`` before, ``each`` after ``samples`` of their own at
    ``rate``: the one of :data:`RATES` whose neighbours are no better for all people together - of equals no surer - or
    0, not to learn, where that is. ``brier``: the score of the answers after learning."""

    shipped: float
    learnt: float
    brier: float
    each: tuple[float, ...]
    rate: float


def learnt(plan: Plan, data: Material, samples: int, seed: int, still: Callable[[], None]) -> Learnt:
    """``samples`` steps of batch 1, drawn from the person's earlier samples in ever new orders; ``still`` is called
    for every person."""
    session = compile_plan(plan)
    start = session.snapshot()
    shipped = [judged(session, p.test) for p in data.people]
    sizes = [len(p.test[1]) for p in data.people]
    tried: dict[int, list[Score]] = {}

    def at(i: int) -> Score:
        if i not in tried:
            tried[i] = []
            for person in data.people:
                still()
                session.restore(start, 0)
                learn(session, person, samples, RATES[i], seed)
                tried[i].append(judged(session, person.test))
        return _mean(tried[i], sizes)

    best, rate = shipped, 0.0
    if samples:
        top = _climbed(at)
        if at(top) > _mean(shipped, sizes):
            best, rate = tried[top], RATES[top]
    right, brier = _mean(best, sizes)
    return Learnt(_mean(shipped, sizes)[0], right, -brier, tuple(one for one, _ in best), rate)


def _climbed(at: Callable[[int], Any]) -> int:
    """Up or down from :data:`BEGIN` as long as it becomes better."""
    top = BEGIN
    for step in (-1, 1):
        while 0 <= top + step < len(RATES) and at(top + step) > at(top):
            top += step
    return top


def learn(session: Session, person: Person, samples: int, rate: float, seed: int) -> None:
    """``samples`` steps at ``rate``; what is not finite ends them, and has changed nothing."""
    x, y = person.learn[0].numpy(), person.learn[1].numpy()
    rng = np.random.default_rng([43, seed])
    rows = np.concatenate([rng.permutation(len(y)) for _ in range(-(-samples // len(y)))])[:samples]
    with suppress(NotFinite):
        for row in rows:
            session.step(x[row : row + 1], y[row : row + 1], lr=rate)


def accuracy(session: Session, pair: Pair) -> float:
    """The share of right answers, sample by sample; an answer that is not finite is wrong."""
    return judged(session, pair)[0]


def judged(session: Session, pair: Pair) -> Score:
    """Of the answers, sample by sample, as logits; one that is not finite is as wrong as can be."""
    x, y = pair[0].numpy(), pair[1].numpy()
    right, squares = 0, 0.0
    for i in range(len(y)):
        try:
            z = np.float64(session.predict(x[i : i + 1])[0])
        except NotFinite:
            squares += WORST
            continue
        right += int(z.argmax() == y[i])
        p = np.exp(z - z.max())
        p /= p.sum()
        p[y[i]] -= 1
        squares += float((p * p).sum())
    return right / len(y), -squares / len(y)


def _mean(values: list[Score], sizes: list[int]) -> Score:
    right, brier = np.average(values, axis=0, weights=sizes)
    return float(right), float(brier)
