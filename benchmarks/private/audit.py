"""Whether epsilon is what it is said to be: an attacker who knows all but whether one contributor was there.

Many runs with and without a canary give how often the attacker is wrong either way; a claim that no such attacker could
keep to is refuted (Jagielski, Ullman & Oprea, NeurIPS 2020, arXiv:2006.07709).
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from math import log
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from scipy import optimize, stats
from sklearn.datasets import load_digits
from torch import nn

import selvedge as sv
from selvedge.federate.client.per_example import PerExample
from selvedge.federate.client.session import SessionTrainer, state_of
from selvedge.federate.client.trainer import Trained
from selvedge.federate.coordinator import Began, Closed, Coordinator, Opened, Taken
from selvedge.federate.layout import Layout
from selvedge.federate.privacy.gaussian_sum import Drawn
from selvedge.federate.privacy.ledger import Ledger
from selvedge.federate.privacy.noise import discrete_gaussian
from selvedge.federate.privacy.randomness import Source, derived

Array = npt.NDArray[Any]
CONFIDENCE = 0.95
DEVICES, EACH, ROUNDS, STEPS = 5, 13, 3, 4
DELTA = 1e-5
CLIP = 1.0
NEVER = 32  # a pixel that is 0 in every digit
FAR = 100.0
RATE = 0.01  # so small that noise in that pixel's weights leaves its gradient what it is


@dataclass(frozen=True, slots=True)
class Audited:
    """``lowest``: of epsilon, that the runs bear out at 95 %, whatever was told. gaussian: the like where what is told
    is known to differ by a Gaussian (Nasr et al., USENIX Security 2023, arXiv:2302.07956): both rates give its shift,
    and that gives epsilon; fewer runs do. wrong: how often yes was said without the canary, and no with it, of
    ``runs``."""

    lowest: float
    gaussian: float
    wrong: tuple[int, int]
    runs: int


def lowest(with_it: Sequence[float], without: Sequence[float], delta: float) -> Audited:
    """The first half of each chooses the threshold, the second counts; Clopper-Pearson bounds of both rates, each at
    half of what 95 % leaves. (epsilon, delta) says: right with it <= e**epsilon * wrong without it + delta, and so with
    the two changed about."""
    there, away = np.asarray(with_it), np.asarray(without)
    half = len(there) // 2
    choices = np.unique([*there[:half], *away[:half]])

    def best(of: Callable[[Array, Array, float], float]) -> float:
        return float(max(choices, key=lambda t: of(there[:half] >= t, away[:half] >= t, delta)))

    at = best(_bound)
    yes, no = there[half:] >= at, away[half:] >= at
    shift = best(_gaussian)
    told = _gaussian(there[half:] >= shift, away[half:] >= shift, delta)
    return Audited(_bound(yes, no, delta), told, (int(no.sum()), int((~yes).sum())), len(yes))


def _gaussian(yes: Array, no: Array, delta: float) -> float:
    right, wrong = _least(int(yes.sum()), len(yes)), 1 - _least(int((~no).sum()), len(no))
    return epsilon_of_shift(float(stats.norm.ppf(right) - stats.norm.ppf(wrong)), delta)


def epsilon_of_shift(shift: float, delta: float) -> float:
    """Of two Gaussians of deviation 1, ``shift`` apart (Balle & Wang, ICML 2018, arXiv:1805.06530, theorem 8)."""
    if not shift > 0:
        return 0.0

    def over(epsilon: float) -> float:
        low, high = stats.norm.cdf(shift / 2 - epsilon / shift), stats.norm.logcdf(-shift / 2 - epsilon / shift)
        return float(low - np.exp(epsilon + high)) - delta

    return float(optimize.brentq(over, 0.0, 200.0)) if over(0.0) > 0 else 0.0


def _bound(yes: Array, no: Array, delta: float) -> float:
    """yes: what was said of runs with it; no: of those without."""
    made = 0.0
    for true, false in ((yes, no), (~no, ~yes)):
        right = _least(int(true.sum()), len(true)) - delta
        wrong = 1 - _least(int((~false).sum()), len(false))
        if right > 0:
            made = max(made, log(right / wrong))
    return made


def _least(count: int, of: int) -> float:
    """The lower end of Clopper and Pearson's interval of a rate, one-sided."""
    if count == 0:
        return 0.0
    return float(stats.beta.ppf((1 - CONFIDENCE) / 2, count, of - count + 1))


class Canary:
    """A device whose change is always one that nobody else's resembles, as long as may be."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        direction = np.random.default_rng([71]).standard_normal(layout.size)
        self.direction = np.float32(direction / np.linalg.norm(direction))

    def train(self, start: Array, local: Mapping[str, Any], task: int, control: Any, own: Any) -> Trained:
        return Trained(start + 10 * np.float32(CLIP) * self.direction, 1, 0.0)


@cache
def digits() -> tuple[Array, Array]:
    found = load_digits()
    return np.float32(found.images / 16).reshape(-1, 64), np.int32(found.target)


@cache
def compiled(batch: int) -> tuple[sv.Session, Layout, Array]:
    """64 pixels to 10 classes, the same weights always: the session, its layout, and they as a vector."""
    torch.manual_seed(5)
    session = sv.compile(sv.plan(nn.Linear(64, 10), torch.zeros(batch, 64), optimizer=sv.SGD(0.1)))
    layout = Layout.of(state_of(session))
    return session, layout, layout.vector(state_of(session))


def of_device(seed: int, scale: float, claimed: float) -> tuple[list[float], float]:
    """What the attacker sees of every model of a run, along the canary's direction, with and without it; epsilon."""
    (session, layout, began), (x, y) = compiled(EACH), digits()
    trainers: dict[str, Any] = {
        f"device-{i}": SessionTrainer(session, x[EACH * i : EACH * (i + 1)], y[EACH * i : EACH * (i + 1)], seed=i)
        for i in range(DEVICES)
    }
    canary = Canary(layout)
    privacy = sv.Privacy(CLIP, claimed, 1e3, DELTA)
    run = sv.Federation("audit", ROUNDS, DEVICES + 1, privacy=privacy)
    seen, spent = [], 0.0
    for there in (True, False):
        secret = derived(seed.to_bytes(8, "little"), there, scale).hex()
        coordinator = Coordinator(run, layout, began, run="audit", secret=secret)
        assert coordinator.private is not None
        coordinator.private.drawn = scaled(scale)
        told = 0.0
        coordinator.apply(Began(0.0))
        for number in range(ROUNDS):
            before = coordinator.model.copy()
            all_ = trainers | ({"canary": canary} if there else {})
            coordinator.apply(Opened(0.0, dict.fromkeys(all_, ""), len(all_)))
            for name, trainer in all_.items():
                start = coordinator.shown.vector
                found = trainer.train(start, {"epochs": 1, "rate": 0.1, "mu": 0.0}, number, None, None)
                coordinator.apply(Taken(name, number, found.weight, found.loss, found.vector - start))
            coordinator.apply(Closed(0.0))
            told += float((coordinator.model - before) @ canary.direction)
        seen.append(told)
        spent = coordinator.private.spent(ROUNDS).epsilon(DELTA)
    return seen, spent


def scaled(scale: float) -> Drawn:
    """Noise of ``scale`` times what is claimed; 0: none."""

    def drawn(count: int, sigma: float, source: Source) -> npt.NDArray[np.int64]:
        return discrete_gaussian(count, scale * sigma, source) if scale else np.zeros(count, np.int64)

    return drawn


def of_example(seed: int, scale: float, claimed: float) -> tuple[list[float], float]:
    """The like of DP-SGD on a device: the canary is an example with a pixel that no other has."""
    (session, _, start), (x, y) = compiled(1), digits()
    x, y = x[: 2 * EACH], y[: 2 * EACH]
    odd = np.zeros((1, 64), np.float32)
    odd[0, NEVER] = FAR
    said = 2 * EACH + 1  # of each device, whether it has the canary or not
    privacy = sv.Privacy(CLIP, claimed, 1e3, DELTA, where="local", unit="example", examples=said)
    seen, spent = [], 0.0
    place = np.zeros((10, 64), np.float32)
    place[:, NEVER] = [-1] * 9 + [9]  # towards its label, away from the others
    for there in (True, False):
        ledger = Ledger(privacy.budget)
        own = (np.concatenate([x, odd]), np.concatenate([y, [np.int32(9)]])) if there else (x, y)
        # All examples in each step: what is audited is the noise, and lots would only hide more.
        trainer = PerExample(session, *own, privacy, ledger, batch=said, drawn=scaled(scale))
        found = trainer.train(start, {"epochs": STEPS, "rate": RATE, "mu": 0.0}, seed, None, None)
        moved = trainer.layout.arrays(found.vector - start)["weight"] * said / RATE
        seen.append(float(np.sum(moved * place)))
        spent = ledger.spent.epsilon(DELTA)
    return seen, spent


OF: Mapping[str, Callable[[int, float, float], tuple[list[float], float]]] = {
    "device": of_device, "example": of_example
}  # fmt: skip


def audit(unit: str, runs: int, scale: float, noise: float) -> dict[str, Any]:
    """``runs`` pairs; ``noise``: what is claimed; ``scale``: what there is of it. As plain data."""
    torch.set_num_threads(1)
    began = time.process_time()
    seen, spent = [], 0.0
    for seed in range(runs):
        pair, spent = OF[unit](int.from_bytes(hashlib.sha256(f"{unit} {seed}".encode()).digest()[:4]), scale, noise)
        seen.append(pair)
    with_it, without = zip(*seen, strict=True)
    found = lowest(with_it, without, DELTA)
    return {
        "unit": unit, "runs": runs, "noise": noise, "of it": scale, "claimed": round(spent, 3), "delta": DELTA,
        "lowest": round(found.lowest, 3), "gaussian": round(found.gaussian, 3), "wrong": list(found.wrong),
        "counted": found.runs, "seconds": round(time.process_time() - began, 1),
    }  # fmt: skip
