"""What to update, by each policy, at equal bytes; and a device that then learns its owner's data."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch

import selvedge as sv
from selvedge.capture.select import trained_layers
from selvedge.choose import Contribution

from .tasks import Pair, Task

SHARES = (0.15, 0.30)  # of what the full update needs above the last layer's
RATES = (3e-4, 1e-3, 3e-3)
EPOCHS = 12
DEVICE = "raspberry-pi-4"  # only its vectors and alignment matter: the budget is given in bytes


@dataclass(frozen=True, slots=True)
class Outcome:
    """``best``, ``last``: for each test sample whether it is right, at the best epoch on validation data and at the
    last. ``rate``: which was chosen on validation data; ``validation``: its accuracy."""

    updated: tuple[str, ...]
    arena: int
    rate: float
    validation: float
    best: np.ndarray
    last: np.ndarray


def plan(task: Task, update: str | list[str], ram: int | None = None, measured: Contribution | None = None) -> sv.Plan:
    """At batch 1, in ``ram`` bytes, nothing made again for anyone. Raises ``DoesNotFit``."""
    return sv.plan(
        task.model,
        torch.from_numpy(np.ascontiguousarray(task.train[0][:1])),
        device=DEVICE,
        budget=None if ram is None else f"ram={ram}B",
        optimizer=sv.SGD(lr=RATES[0], momentum=0.9),
        update=update,
        contribution=measured,
        trade=sv.Trade(stream=False, recompute=False),
    )


def measured(task: Task, seed: int, method: str = "allocation") -> Contribution:
    """What each tensor contributes, on training and validation data alone."""
    return sv.contribution(task.model, task.train, validation=task.validation, method=method, seed=seed, device=DEVICE)


def budgets(task: Task) -> dict[float, int]:
    """Share -> bytes of arena."""
    least, most = plan(task, "last:1").arena_bytes, plan(task, "full").arena_bytes
    return {share: int(least + share * (most - least)) for share in SHARES}


def plans(task: Task, seed: int) -> Iterator[tuple[str, float, sv.Plan]]:
    """(policy, share, plan) of every policy; a share of 0: without a limit."""
    yield "full", 0.0, plan(task, "full")
    yield "bias", 0.0, plan(task, "bias")
    found = measured(task, seed)
    for share, ram in budgets(task).items():
        yield "auto", share, plan(task, "auto", ram, found)
        yield "last-K", share, last(task, ram)
        yield "random", share, random(task, ram, seed)


def last(task: Task, ram: int) -> sv.Plan:
    """The most last layers that fit."""
    made = plan(task, "last:1", ram)
    for k in range(2, trained_layers(made.captured) + 1):
        more = _fitting(task, f"last:{k}", ram)
        if more is None:
            break
        made = more
    return made


def random(task: Task, ram: int, seed: int) -> sv.Plan:
    """A random order of the tensors, as far as it fits; the first order of which anything does."""
    rng, everything = np.random.default_rng([5, seed]), plan(task, "full").updated
    names: list[str] = []
    found = None
    while found is None:
        names = rng.permutation(everything).tolist()
        found = _fitting(task, names[:1], ram)
    low, high = 1, len(names) + 1
    while high - low > 1:
        middle = (low + high) // 2
        made = _fitting(task, names[:middle], ram)
        low, high, found = (middle, high, made) if made is not None else (low, middle, found)
    return found


def _fitting(task: Task, update: str | list[str], ram: int) -> sv.Plan | None:
    """Planned without a limit: a refusal would look for what to change."""
    made = plan(task, update)
    return replace(made, budget=replace(made.budget, ram=ram)) if made.arena_bytes <= ram else None


def learn(made: sv.Plan, task: Task, seed: int, epochs: int = EPOCHS) -> Outcome:
    """The same epochs and the same grid of rates for everyone; the rate is the best on validation data."""
    session = sv.compile(made)
    start = session.snapshot()
    found = [_trained(session, start, task, seed, rate, epochs) for rate in RATES]
    at = max(range(len(RATES)), key=lambda i: found[i][0])
    (accuracy, _), best, end = found[at]
    return Outcome(made.updated, made.arena_bytes, RATES[at], accuracy, best, end)


def _trained(
    session: sv.Session, start: Mapping[str, np.ndarray], task: Task, seed: int, rate: float, epochs: int
) -> tuple[tuple[float, float], np.ndarray, np.ndarray]:
    """((accuracy, -loss) on validation data at the best epoch, right or not at the best, at the last)."""
    session.restore(start, 0)
    (x, y), nothing = task.train, np.zeros(len(task.test[1]), bool)
    rates = sv.Cosine(rate, epochs * len(y))
    best, top = (-1.0, 0.0), dict(start)
    try:
        for epoch in range(epochs):
            for i in np.random.default_rng([seed, epoch]).permutation(len(y)):
                session.step(x[i : i + 1], y[i : i + 1], lr=rates.lr(session.steps))
            now = _score(session, task.validation)
            if now > best:
                best, top = now, session.snapshot()
        last = right(session, task.test)
    except sv.NotFinite:  # a diverged model knows nothing
        last = nothing
    session.restore(top, 0)
    return best, right(session, task.test) if best[0] >= 0 else nothing, last


def right(session: sv.Session, data: Pair) -> np.ndarray:
    """For each sample, whether it is told right."""
    return np.array([session.predict(data[0][i : i + 1]).argmax() == data[1][i] for i in range(len(data[1]))])


def _score(session: sv.Session, data: Pair) -> tuple[float, float]:
    """(accuracy, minus the loss)."""
    z = np.concatenate([session.predict(data[0][i : i + 1]) for i in range(len(data[1]))]).astype(np.float64)
    top = z.max(1, keepdims=True)
    losses = np.log(np.exp(z - top).sum(1)) + top[:, 0] - z[np.arange(len(z)), data[1]]
    return float((z.argmax(1) == data[1]).mean()), -float(losses.mean())
