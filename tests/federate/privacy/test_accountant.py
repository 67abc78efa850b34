"""What is spent: opacus' accountant beside ours, curves beside sums of probabilities, and states."""

from __future__ import annotations

import itertools
import json
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selvedge.errors import InvalidInput
from selvedge.federate.privacy.accountant import Accountant, Release, curve, epsilon_of, noise_for, tau

opacus = pytest.importorskip("opacus.accountants")

WHOLE = tuple(map(float, range(2, 65)))


def of_opacus(noise: float, rate: float, steps: int, delta: float) -> float:
    other = opacus.RDPAccountant()
    other.history = [(noise, rate, steps)]
    return float(other.get_epsilon(delta, alphas=ORDERS))


ORDERS = [1.1, 1.5, 1.9, 2, 2.5, 3.3, 4, 5.7, 8, 10.9, 12, 16, 24, 33, 48, 63, 128]


@pytest.mark.filterwarnings("ignore:Optimal order is the")
@pytest.mark.parametrize("rate", [0.001, 0.02, 0.3, 1.0])
@pytest.mark.parametrize("noise", [0.5, 1.1, 8.0])
def test_epsilon_is_that_of_opacus(rate: float, noise: float) -> None:
    for steps, delta in itertools.product((1, 300, 10_000), (1e-5, 1e-7)):
        ours = Accountant([(Release(noise, rate), steps)]).epsilon(delta, ORDERS)
        assert ours == pytest.approx(of_opacus(noise, rate, steps, delta), abs=1e-3)


@pytest.mark.filterwarnings("ignore:Optimal order is the")
def test_releases_of_several_kinds_add_up_as_those_of_opacus() -> None:
    ours, other = Accountant(), opacus.RDPAccountant()
    for noise, rate, steps in ((1.0, 0.01, 50), (2.0, 0.1, 3), (1.0, 0.01, 7), (4.0, 1.0, 2)):
        ours.step(Release(noise, rate), steps)
        other.history.append((noise, rate, steps))
    assert ours.epsilon(1e-6, ORDERS) == pytest.approx(other.get_epsilon(1e-6, alphas=ORDERS), abs=1e-6)


def divergence(p: np.ndarray, q: np.ndarray, alpha: float) -> float:
    there = (p > 1e-250) & (q > 1e-250)
    logs = alpha * np.log(p[there]) + (1 - alpha) * np.log(q[there])
    return float(np.log(np.sum(np.exp(logs))) / (alpha - 1))


def discrete(sigma: float, reach: int, shift: int = 0) -> np.ndarray:
    x = np.arange(-reach, reach + 1) - shift
    weights = np.exp(-(x.astype(float) ** 2) / (2 * sigma**2))
    return weights / weights.sum()


@pytest.mark.parametrize(("sigma", "shift", "rate"), [(0.7, 1, 0.1), (1.5, 1, 0.3), (3.0, 2, 0.05), (2.0, 4, 0.5)])
def test_no_curve_is_below_the_divergence_of_what_it_bounds(sigma: float, shift: int, rate: float) -> None:
    """Both directions, summed up from the probabilities of the discrete noise itself."""
    without, there = discrete(sigma, 120), discrete(sigma, 120, shift)
    mixed = (1 - rate) * without + rate * there
    orders = (1.3, 2.0, 2.5, 4.0, 6.5)
    bounds = curve(Release(sigma / shift, rate, discrete=True), orders)
    for alpha, bound in zip(orders, bounds, strict=True):
        assert divergence(mixed, without, alpha) <= bound + 1e-9
        assert divergence(without, mixed, alpha) <= bound + 1e-9
    assert divergence(mixed, without, 4.0) > 0.5 * bounds[3], "the bound is near, where it is known"


@pytest.mark.parametrize(("local", "members"), [(0.5, 2), (0.6, 5), (1.0, 8)])
def test_the_sum_of_discrete_noise_keeps_within_its_own_curve(local: float, members: int) -> None:
    one = discrete(local, 60)
    total = one
    for _ in range(members - 1):
        total = np.convolve(total, one)
    sigma = local * math.sqrt(members)
    shifted = np.concatenate([[0.0], total[:-1]])
    for alpha in (2.0, 3.0, 5.0):
        bound = curve(Release(sigma, 1.0, True, members, local, 1), (alpha,))[0]
        assert divergence(shifted, total, alpha) <= bound + 1e-12
    middle = slice(len(total) // 2 - 6, len(total) // 2 + 7)
    ratio = np.log(total[middle] / discrete(sigma, len(total) // 2)[middle])
    assert float(np.abs(ratio).max()) <= tau(members, local)


def test_what_distributed_noise_costs_more_is_nothing_from_two_steps_on() -> None:
    plain = Accountant([(Release(1.0, discrete=True), 10)]).epsilon(1e-6)
    fine = Accountant([(Release(1.0, 1.0, True, 100, 2.0, 10**6), 10)]).epsilon(1e-6)
    coarse = Accountant([(Release(1.0, 1.0, True, 100, 0.5, 10**6), 10)]).epsilon(1e-6)
    assert plain <= fine < plain + 1e-6
    assert coarse > 10 * plain


RELEASES = st.builds(Release, st.floats(0.3, 20), st.sampled_from([0.01, 0.2, 1.0]), st.just(True))


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(RELEASES, st.integers(1, 50)), min_size=1, max_size=5), st.randoms())
def test_it_composes_in_any_order_and_through_json(told: list[tuple[Release, int]], random: Any) -> None:
    one, other = Accountant(), Accountant()
    for release, count in told:
        one.step(release, count)
    for release, count in random.sample(told, len(told)):
        other.step(release, count)
    again = Accountant.of(json.loads(json.dumps(one.state())))
    assert again.history == one.history
    assert one.epsilon(1e-5) == pytest.approx(other.epsilon(1e-5), rel=1e-9)
    more = one.after(told[0][0])
    assert more.epsilon(1e-5) > one.epsilon(1e-5)
    assert one.history == again.history, "after() changes nothing"


@pytest.mark.parametrize(("epsilon", "rounds", "rate"), [(1.0, 30, 1.0), (8.0, 100, 0.1), (0.3, 5, 0.5)])
def test_the_noise_for_a_budget_is_enough_and_hardly_more(epsilon: float, rounds: int, rate: float) -> None:
    noise = noise_for(epsilon, 1e-5, rounds, rate)
    assert Accountant([(Release(noise, rate, True), rounds)]).epsilon(1e-5) <= epsilon
    assert Accountant([(Release(0.997 * noise, rate, True), rounds)]).epsilon(1e-5) > epsilon


def test_nothing_told_costs_nothing_and_no_epsilon_is_below_zero() -> None:
    assert Accountant().epsilon(1e-5) == 0
    assert epsilon_of(np.zeros(2), 0.5, (2.0, 3.0)) == 0
    assert Accountant([(Release(5000.0, 0.001, True), 1)]).epsilon(0.1) == 0


@pytest.mark.parametrize(
    ("of", "field"),
    [
        (lambda: Release(0.0), "noise"),
        (lambda: Release(float("nan")), "noise"),
        (lambda: Release(1e9), "noise"),
        (lambda: Release(1.0, 0.0), "rate"),
        (lambda: Release(1.0, 1.1), "rate"),
        (lambda: Release(1.0, 1.0, True, 5, 0.3, 10), "members"),
        (lambda: Accountant().step(Release(1.0), 0), "releases"),
        (lambda: Accountant.of([{"noise": 1.0}]), "accountant"),
        (lambda: Accountant.of([{"noise": 1.0, "count": 1, "colour": 2}]), "accountant"),
        (lambda: Accountant([(Release(1.0), 1)]).epsilon(1.0), "delta"),
        (lambda: curve(Release(1.0), (1.0,)), "orders"),
        (lambda: noise_for(1e-9, 1e-5, 10**6), "epsilon"),
    ],
)
def test_what_is_no_release_is_refused(of: Any, field: str) -> None:
    with pytest.raises(InvalidInput, match=field):
        of()
