"""An error spent over a life."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selvedge.errors import InvalidInput
from selvedge.learn.guard.spending import spent


@given(st.floats(1e-6, 0.5), st.integers(1, 5000))
def test_a_life_spends_no_more_than_there_is(alpha: float, looks: int) -> None:
    parts = [spent(alpha, k) for k in range(1, looks + 1)]
    assert sum(parts) <= alpha
    assert parts == sorted(parts, reverse=True)


def test_a_long_life_spends_nearly_all() -> None:
    assert sum(spent(0.05, k) for k in range(1, 10000)) == pytest.approx(0.05, rel=1e-3)


@pytest.mark.parametrize("alpha", [0.0, 1.0, -0.1, float("nan")])
def test_what_is_no_probability_is_refused(alpha: float) -> None:
    with pytest.raises(InvalidInput, match="alpha"):
        spent(alpha, 1)
