"""Local noise: all that stands between a device's samples and everybody; it is counted as such, and goes on being."""

from __future__ import annotations

import warnings
from itertools import count
from math import exp
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy import stats
from torch import nn

import selvedge as sv
from selvedge.errors import InvalidInput
from selvedge.federate.client.private import Private
from selvedge.federate.coordinator import Closed
from selvedge.federate.privacy.ledger import Ledger

from .test_rounds import SIZE, Toward

DELTA = 1e-5


def of_device(noise: float, rounds: int) -> dict[str, Any]:
    """The statement of a device that has answered so often."""
    privacy = sv.Privacy(1.0, noise, 1e6, DELTA, where="local")
    ledger = Ledger(privacy.budget)
    device = Private(Toward(1), privacy, ledger)
    for number in range(rounds):
        device.train(np.zeros(SIZE, np.float32), {}, number, None, None)
    return privacy.statement(ledger.spent)


@pytest.mark.parametrize(("noise", "rounds"), [(2.0, 1), (4.0, 3), (20.0, 10)])
def test_two_data_sets_are_twice_as_far_apart_as_one_is_from_nothing(noise: float, rounds: int) -> None:
    """Beside what the two most distant ones really have: Gaussians, 2 sqrt(rounds) / noise deviations apart, whose
    delta at an epsilon is known exactly (Balle & Wang, ICML 2018, arXiv:1805.06530, theorem 8)."""
    told = of_device(noise, rounds)
    shift, epsilon = 2 * rounds**0.5 / noise, told["epsilon"]

    def delta(epsilon: float) -> float:
        low = stats.norm.cdf(shift / 2 - epsilon / shift)
        return float(low - exp(epsilon) * stats.norm.cdf(-shift / 2 - epsilon / shift))

    assert delta(epsilon) <= DELTA, "it is refuted"
    assert delta(0.85 * epsilon) > DELTA, "and it is not far from what there is"
    assert told["sensitivity"] == 2 * told["clip"]
    assert told["neighbours"] == "a device has any other samples; that it was asked is known"


@pytest.mark.parametrize(("noise", "rounds"), [(2.0, 1), (4.0, 3), (20.0, 10)])
def test_it_is_what_opacus_says_of_half_the_noise(noise: float, rounds: int) -> None:
    from opacus.accountants import RDPAccountant

    theirs = RDPAccountant()
    for _ in range(rounds):
        theirs.step(noise_multiplier=noise / 2, sample_rate=1.0)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Optimal order is the")
        most = float(theirs.get_epsilon(DELTA))
    assert of_device(noise, rounds)["epsilon"] == pytest.approx(most, rel=0.01, abs=1e-3)


def test_two_changes_of_opposite_directions_are_as_far_apart_as_is_accounted() -> None:
    privacy = sv.Privacy(1.0, 2.0, 1e6, DELTA, where="local")

    def none(size: int, sigma: float, source: Any) -> Any:
        return np.zeros(size, np.int64)

    ends = []
    for sign in (1, -1):
        trainer = Toward(1)
        trainer.change = sign * trainer.change
        device = Private(trainer, privacy, Ledger(privacy.budget), none)
        ends.append(device.train(np.zeros(SIZE, np.float32), {}, 0, None, None).vector)
    assert privacy.sensitivity * 0.999 < np.linalg.norm(ends[0] - ends[1]) <= privacy.sensitivity * (1 + 1e-6)


@pytest.mark.parametrize("unit", ["device", "example"])
def test_a_simulated_run_that_is_gone_on_with_goes_on_counting(tmp_path: Path, unit: Any) -> None:
    torch.manual_seed(0)
    session = sv.compile(sv.plan(nn.Linear(6, 3), torch.zeros(4, 6), optimizer=sv.SGD(0.1)))
    random = np.random.default_rng(0)
    shards = [
        (random.normal(size=(8, 6)).astype(np.float32), random.integers(0, 3, 8).astype(np.int32)) for _ in range(4)
    ]
    examples = 8 if unit == "example" else None
    privacy = sv.Privacy(1.0, 4.0, 1e3, DELTA, where="local", unit=unit, examples=examples)
    run = sv.Federation("gone on with", 5, 4, privacy=privacy)
    folder, numbers = tmp_path / "run", count(1)

    class Killed(BaseException):
        pass

    def dies(event: Any) -> None:
        if isinstance(event, Closed) and next(numbers) == 3:
            raise Killed

    with pytest.raises(Killed):
        sv.simulate(session, shards, run, folder=folder, on_event=dies)
    told = sv.simulate(session, shards, run, folder=folder)
    assert told.phase == "done"
    each = 2 if unit == "example" else 1  # steps of a round
    assert told.statement["releases"] == 5 * each
    assert len(told.points) == 2
    wider = sv.Privacy(1.0, 4.0, 2e3, DELTA, where="local", unit=unit, examples=examples)
    with pytest.raises(InvalidInput, match="privacy ledger"):
        sv.simulate(session, shards, sv.Federation("gone on with", 5, 4, privacy=wider), folder=folder)
