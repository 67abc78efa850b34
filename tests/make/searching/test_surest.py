"""Which of those that accuracy cannot tell apart is taken."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from selvedge.make.searching.surest import surest


@dataclass(frozen=True)
class One:
    learnt: float
    brier: float
    train_bytes: int


POINTS = st.lists(
    st.builds(One, st.integers(0, 250).map(lambda n: n / 250), st.floats(0, 2), st.integers(1, 1 << 20)),
    min_size=1, max_size=12,
)  # fmt: skip


@given(POINTS)
def test_nothing_that_is_surer_is_as_accurate(points: list[One]) -> None:
    found = surest(points, 250)
    assert not any(p.brier < found.brier and p.learnt >= found.learnt for p in points)
    most = max(p.learnt for p in points)
    assert most - found.learnt <= 2 * (0.25 / 250) ** 0.5
    assert surest(points[::-1], 250) == found


def test_one_answer_of_many_is_no_difference_and_ten_are() -> None:
    right, sure = One(1.0, 0.02, 10), One(249 / 250, 0.005, 20)
    assert surest([right, sure], 250) is sure
    assert surest([right, One(240 / 250, 0.001, 20)], 250) is right
    assert surest([right, sure], 25_000) is right


def test_of_equals_the_one_that_trains_in_least_is_taken() -> None:
    small, large = One(0.9, 0.1, 10), One(0.9, 0.1, 20)
    assert surest([large, small], 100) is small
