"""How many judges may be taken is scipy's, and never one too many."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from selvedge.learn.guard.taken import most_taken


@given(st.integers(16, 20000), st.floats(0.1, 200), st.floats(0.001, 0.99))
def test_it_is_the_last_count_whose_tail_is_no_larger_than_the_error(n: int, nats: float, margin: float) -> None:
    most = most_taken(n, nats, margin)
    assert -1 <= most < n
    tails = stats.binom.logcdf([most, most + 1], n, margin)
    assert tails[0] <= -nats + 1e-6
    assert tails[1] > -nats - 1e-6


def test_of_a_few_hundred_judges_some_may_be_taken() -> None:
    assert most_taken(875, -math.log(0.0152), 0.01) == 2
    assert most_taken(200, 3.0, 0.01) == -1
    assert most_taken(200, 3.0, 1.0) == 200


@pytest.mark.parametrize("margin", [0.01, 0.1])
def test_twice_as_many_judges_let_more_than_twice_as_many_be_taken(margin: float) -> None:
    assert most_taken(8000, 5, margin) > 2 * most_taken(4000, 5, margin) > 0
