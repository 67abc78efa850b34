"""Sums in any order, rules that withstand liars, optimisers of the server: beside numpy and PyTorch."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from selvedge.errors import InvalidInput
from selvedge.federate.aggregate.fixed import Beyond, FixedSum
from selvedge.federate.aggregate.optimizer import ServerOptimizer
from selvedge.federate.aggregate.robust import krum, median, rule, trimmed

term = st.tuples(st.floats(-64, 64, width=32), st.floats(-(2**-20), 2**-20, width=32), st.integers(1, 1000))


@settings(max_examples=200)
@given(terms=st.lists(term, min_size=1, max_size=30), seed=st.integers(0, 999))
def test_the_sum_is_the_same_in_any_order_and_near_the_exact_one(terms: Any, seed: int) -> None:
    made = []
    for order in (range(len(terms)), np.random.default_rng(seed).permutation(len(terms))):
        total = FixedSum(2)
        for i in order:
            total.add(np.array(terms[i][:2], np.float32), terms[i][2])
        made.append(total)
    assert made[0].total.tobytes() == made[1].total.tobytes()
    weight = sum(w for *_, w in terms)
    for j in range(2):
        exact = sum(Fraction(t[j]) * t[2] for t in terms) / weight
        assert abs(Fraction(float(made[0].mean()[j])) - exact) <= Fraction(made[0].error) * len(
            terms
        ) / weight + Fraction(1, 2**40)


@given(data=st.data())
def test_each_element_is_the_mean_over_those_who_have_it(data: st.DataObject) -> None:
    total, sums, weights = FixedSum(9), np.zeros(9), np.zeros(9)
    for _ in range(data.draw(st.integers(1, 6))):
        where = np.array(sorted(data.draw(st.sets(st.integers(0, 8), min_size=1))))
        v = np.array(
            data.draw(st.lists(st.floats(-4, 4, width=16), min_size=len(where), max_size=len(where))), np.float32
        )
        w = data.draw(st.integers(1, 9))
        total.add(v, w, None if len(where) == 9 else where)
        sums[where] += w * v.astype(np.float64)
        weights[where] += w
    np.testing.assert_allclose(total.mean(), np.where(weights > 0, sums / np.maximum(weights, 1), 0), atol=1e-8)
    again = FixedSum(9)
    again.load_state_dict(total.state_dict())
    assert again.mean().tobytes() == total.mean().tobytes()
    assert again.weight == total.weight


@pytest.mark.parametrize("odd", [np.nan, np.inf, -np.inf, 64.01, -65])
def test_numbers_beyond_the_bound_are_refused_and_nothing_is_added(odd: float) -> None:
    total = FixedSum(3)
    total.add(np.array([1, 2, 64], np.float32), 2)
    before = total.total.tobytes(), total.weight
    with pytest.raises(Beyond, match="beyond 64"):
        total.add(np.array([1, odd, 2], np.float32), 2)
    assert before == (total.total.tobytes(), total.weight)


def test_more_weight_than_was_said() -> None:
    total = FixedSum(1, weights=10)
    total.add(np.array([1], np.float32), 7)
    with pytest.raises(Beyond, match="a weight of 4 where 3 is left"):
        total.add(np.array([1], np.float32), 4)
    with pytest.raises(Beyond):
        total.add(np.array([1], np.float32), 0)


def test_a_thousand_equal_weights() -> None:
    """In float32 the mean of a thousand times 2 came to 1.99998 elsewhere."""
    total = FixedSum(4)
    for _ in range(1000):
        total.add(np.full(4, 2, np.float32), 1)
    assert total.mean().tolist() == [2.0] * 4


def test_the_largest_numbers_fit() -> None:
    total = FixedSum(2, bound=64, weights=1 << 24)
    total.add(np.array([64, -64], np.float32), 1 << 24)
    assert total.mean().tolist() == [64.0, -64.0]


@given(n=st.integers(1, 12), seed=st.integers(0, 99))
def test_median_and_trimmed_mean_are_the_definitions(n: int, seed: int) -> None:
    changes = np.random.default_rng(seed).normal(size=(n, 7)).astype(np.float32)
    np.testing.assert_array_equal(median(changes), np.median(changes, 0))
    columns = [sorted(map(float, column))[int(0.2 * n) : n - int(0.2 * n)] for column in changes.T]
    np.testing.assert_allclose(trimmed(changes, 0.2), [sum(c) / len(c) for c in columns], rtol=1e-12)


@settings(max_examples=30)
@given(n=st.integers(7, 15), seed=st.integers(0, 99))
def test_krum_is_the_definition(n: int, seed: int) -> None:
    changes = np.random.default_rng(seed).normal(size=(n, 5)).astype(np.float32)
    scores = []
    for i in range(n):
        others = sorted(float(np.square(changes[i].astype(float) - changes[j]).sum()) for j in range(n) if j != i)
        scores.append(sum(others[: n - 2 - 2]))
    np.testing.assert_allclose(krum(changes, 2), changes[int(np.argmin(scores))], rtol=1e-6)


def test_liars_move_the_mean_and_not_the_others() -> None:
    random = np.random.default_rng(0)
    honest = 1 + 0.1 * random.normal(size=(8, 50))
    changes = np.concatenate([honest, -20 * np.ones((2, 50))]).astype(np.float32)
    assert changes.mean() < -3
    for name, given_ in (("median", {}), ("trimmed", {"share": 0.2}), ("krum", {"liars": 2, "keep": 3})):
        assert abs(rule(name, given_)(changes).mean() - 1) < 0.1, name


def test_too_many_liars_for_krum() -> None:
    with pytest.raises(InvalidInput, match="withstand at most 1"):
        krum(np.zeros((6, 2), np.float32), 2)
    with pytest.raises(InvalidInput, match="give mean, median"):
        rule("mode", {})


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_sgd_of_the_server_is_pytorchs(momentum: float) -> None:
    made, random = ServerOptimizer("sgd", 0.5, momentum), np.random.default_rng(1)
    model, theirs = np.ones(6), torch.ones(6, dtype=torch.float64, requires_grad=True)
    state, optimizer = made.begin(6), torch.optim.SGD([theirs], 0.5, momentum)
    for _ in range(5):
        change = random.normal(size=6)
        made.step(model, change, state)
        theirs.grad = torch.tensor(-change)
        optimizer.step()
    np.testing.assert_allclose(model, theirs.detach().numpy(), rtol=1e-12)


@pytest.mark.parametrize("kind", ["adam", "yogi"])
def test_adam_and_yogi_are_algorithm_2(kind: Any) -> None:
    made, random = ServerOptimizer(kind, 0.1, 0.9, 0.99, 1e-3), np.random.default_rng(2)
    model, state = np.zeros(5), made.begin(5)
    x, m, v = np.zeros(5), np.zeros(5), np.full(5, 1e-6)
    for _ in range(6):
        change = random.normal(size=5)
        made.step(model, change, state)
        m = 0.9 * m + 0.1 * change
        v = 0.99 * v + 0.01 * change**2 if kind == "adam" else v - 0.01 * change**2 * np.sign(v - change**2)
        x = x + 0.1 * m / (np.sqrt(v) + 1e-3)
    np.testing.assert_allclose(model, x, rtol=1e-12)


@pytest.mark.parametrize("given_", [{"kind": "lion"}, {"rate": 0}, {"momentum": 1}, {"beta2": -0.1}, {"tau": True}])
def test_optimisers_that_are_none(given_: Any) -> None:
    with pytest.raises(InvalidInput, match="server"):
        ServerOptimizer(**given_)
