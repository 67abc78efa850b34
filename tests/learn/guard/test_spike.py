"""A loss that leaps is seen, one batch of hard samples is none."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from selvedge.errors import InvalidInput
from selvedge.learn.guard.spike import WINDOW, Spike


def test_one_hard_batch_is_no_leap_and_a_window_of_them_is() -> None:
    spike = Spike(3.0)
    assert not any(spike.update(1.0, 1.0) for _ in range(2 * WINDOW))
    assert not spike.update(10.0, 1.0)
    assert any(spike.update(10.0, 1.0) for _ in range(WINDOW))


def test_what_is_not_finite_is_a_leap_at_once_and_what_is_huge_no_overflow() -> None:
    assert Spike().update(float("nan"), 1.0)
    assert Spike().update(float("inf"), 1.0)
    spike = Spike()
    assert [spike.update(1e300, 1.0) for _ in range(WINDOW)] == [False] * (WINDOW - 1) + [True]


def test_a_world_that_is_harder_is_no_leap() -> None:
    spike = Spike(3.0)
    assert not any(spike.update(8.0, 4.0) for _ in range(4 * WINDOW))


@given(st.lists(st.floats(0, 2.0**120, width=32), min_size=WINDOW, max_size=60), st.floats(0.01, 1e30))
def test_it_says_what_the_mean_in_float32_says(losses: list[float], usual: float) -> None:
    spike = Spike(2.0)
    said = [spike.update(loss, usual) for loss in losses]
    held = np.minimum(np.float32(losses), np.float32(1e30))
    for last in range(WINDOW - 1, len(losses)):
        ring = np.zeros(WINDOW, np.float32)  # in the order in which they lie
        for i in range(last + 1):
            ring[i % WINDOW] = held[i]
        assert said[last] == (float(np.add.reduce(ring)) / WINDOW > 2.0 * usual)
    assert not any(said[: WINDOW - 1])


def test_its_state_goes_on_and_anothers_is_refused() -> None:
    one, other = Spike(), Spike()
    for loss in (1.0, 2.0, 7.0):
        one.update(loss, 1.0)
    other.load_state_dict(one.state_dict())
    assert [one.update(4.0, 1.0) for _ in range(9)] == [other.update(4.0, 1.0) for _ in range(9)]
    kept = one.state_dict()
    for state in ({}, {**kept, "ring": np.zeros(3, np.float32)}, {**kept, "seen": np.zeros(1, np.int64)}):
        with pytest.raises(InvalidInput, match="spike"):
            one.load_state_dict(state)
    assert all(np.array_equal(a, kept[n]) for n, a in one.state_dict().items())
    assert one.bytes == sum(a.nbytes for a in kept.values())
    one.restart()
    assert not one.update(1e9, 1.0)


@pytest.mark.parametrize("times", [1.0, 0.0, float("inf"), float("nan")])
def test_times_are_above_one(times: float) -> None:
    with pytest.raises(InvalidInput, match="times"):
        Spike(times)
