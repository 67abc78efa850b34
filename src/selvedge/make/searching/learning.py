"""What a planned candidate learns of a person whom it has not met: by compiled code, as the device would."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...artifact.schedule import Cosine
from ...run.ports import NotFinite
from ...run.session import Session
from ..compile import compile as compile_plan
from ..plan import Plan
from .material import Material, Pair, Person
from .surest import deviation

RATES = (0.0003, 0.001, 0.003, 0.01, 0.03, 0.1)
LEAST = 0.1  # of the rate, behind the last sample: it may go on learning
STOPS = (12, 3, 1)  # it is judged behind so manieth of its samples
WORST = 2.0  # of a Brier score: all of it on one wrong class
BEGIN = 4  # where the way up or down the rates begins


Score = tuple[float, float]  # accuracy, and the Brier score, negative: more is better


@dataclass(frozen=True, slots=True)
class Learnt:
    """Accuracies on the people's later samples: ``shipped`` before, ``each`` after ``samples`` of their own, along
    :func:`falling` from ``rate``: 0 where none was better than not to learn. ``brier``: the score of the answers after
    learning.

    Up or down :data:`RATES` to the one whose neighbours are no better behind all samples, for all people together - of
    equals no surer. Of those tried that are less than a standard error worse there, the one that is surest on the way,
    behind a twelfth and a third of the samples too: a high rate is as good in the end and falls below its beginning
    first (the rule of one standard error: Breiman et al., "Classification and Regression Trees", 1984)."""

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
    stops = sorted({max(1, samples // n) for n in STOPS})
    tried: dict[int, list[list[Score]]] = {}

    def at(i: int) -> Score:
        if i not in tried:
            tried[i] = []
            for person in data.people:
                still()
                session.restore(start, 0)
                tried[i].append([judged(session, person.test) for _ in stages(session, person, stops, RATES[i], seed)])
        return _mean([way[-1] for way in tried[i]], sizes)

    best, rate = shipped, 0.0
    if samples:
        top = _climbed(at)
        if at(top) > _mean(shipped, sizes):
            least = at(top)[0] - deviation(at(top)[0], sum(sizes))
            top = max((i for i in tried if at(i)[0] >= least), key=lambda i: (_sure(tried[i], sizes), -i))
            best, rate = [way[-1] for way in tried[top]], RATES[top]
    right, brier = _mean(best, sizes)
    return Learnt(_mean(shipped, sizes)[0], right, -brier, tuple(one for one, _ in best), rate)


def _climbed(at: Callable[[int], Any]) -> int:
    """Up or down from :data:`BEGIN` as long as it becomes better."""
    top = BEGIN
    for step in (-1, 1):
        while 0 <= top + step < len(RATES) and at(top + step) > at(top):
            top += step
    return top


def falling(rate: float, samples: int) -> Cosine:
    """The rate of every step: half a cosine, to a tenth. Steps on one sample each are noise that a constant rate never
    gets rid of."""
    return Cosine(rate, max(1, samples), least=LEAST * rate)


def learn(session: Session, person: Person, samples: int, rate: float, seed: int) -> None:
    """``samples`` steps along :func:`falling`; what is not finite ends them, and has changed nothing."""
    for _ in stages(session, person, [samples], rate, seed):
        pass


def stages(session: Session, person: Person, stops: Sequence[int], rate: float, seed: int) -> Iterator[int]:
    """Learn as many samples as the last of ``stops``, as :func:`learn` does, and give each of them when it is
    reached."""
    x, y = person.learn[0].numpy(), person.learn[1].numpy()
    rng, samples = np.random.default_rng([43, seed]), stops[-1]
    rows = np.concatenate([rng.permutation(len(y)) for _ in range(-(-samples // len(y)))])
    schedule, done = falling(rate, samples), 0
    for stop in stops:
        with suppress(NotFinite):  # the step that is refused is the next one again: it ends all
            while done < stop:
                row = rows[done]
                session.step(x[row : row + 1], y[row : row + 1], lr=schedule.lr(done))
                done += 1
        yield stop


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
            z = np.float64(np.nan)
        if not np.isfinite(z).all():
            squares += WORST
            continue
        right += int(z.argmax() == y[i])
        p = np.exp(z - z.max())
        p /= p.sum()
        p[y[i]] -= 1
        squares += float((p * p).sum())
    return right / len(y), -squares / len(y)


def _sure(ways: list[list[Score]], sizes: list[int]) -> float:
    """Of the scores of every person along the way: the mean of the latter."""
    return float(np.average([np.mean([brier for _, brier in way]) for way in ways], weights=sizes))


def _mean(values: list[Score], sizes: list[int]) -> Score:
    right, brier = np.average(values, axis=0, weights=sizes)
    return float(right), float(brier)
