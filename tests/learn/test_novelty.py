"""Novelty: what was never seen near, once an alarm, in bytes that one can count."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selvedge.errors import InvalidInput
from selvedge.learn.anomaly.novelty import HEADER, VALUE, NoveltyDetector


def scored(values: np.ndarray, **settings: int) -> tuple[NoveltyDetector, np.ndarray]:
    detector = NoveltyDetector(**settings)
    return detector, np.array([detector.update(value) for value in values.tolist()])


def noisy(rows: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(20, 1, rows)


def test_a_value_far_from_all_before_it_is_odd_and_only_once() -> None:
    values = noisy(2000)
    values[1500:1520] = 45
    detector, scores = scored(values)
    assert scores[1500] > 0.9 > detector.threshold
    assert (scores[1501:1600] == 0).all()
    values[1800] = 45
    assert scored(values)[1][1800] == 0, "45 is known by now"


def test_a_hole_between_known_values_is_odd_too() -> None:
    """No threshold on the value finds it: it lies in the middle of the range."""
    values = np.where(np.arange(1000) % 2, noisy(1000), noisy(1000, 1) + 60)
    values[900] = 50
    assert scored(values)[1][900] > 0.8


def test_small_numbers_of_a_heavy_tailed_series_are_told_apart() -> None:
    """Requests a minute between 10 and 100,000; then 0.01, whose distance to 10 is nothing beside the usual gaps."""
    values = 10 ** np.random.default_rng(0).uniform(1, 5, 2000)
    values[:100:2] = 12 + np.arange(50) / 10
    assert scored(np.append(values, 50_000.5))[1][-1] == 0
    logs = np.random.default_rng(1).lognormal(0, 2.5, 3000)
    assert scored(np.append(logs, -40.0))[1][-1] > 0.5


def test_the_hold_ends_after_its_rows_and_a_hole_in_time_counts() -> None:
    values = noisy(600)
    values[[500, 550]] = 60, 1e6
    values[[501, 560]] = 59, 62
    plain = scored(values)[1]
    assert plain[500] > 0.9
    assert plain[501] == 0
    assert plain[550] > 0, "odder than what holds"
    assert scored(values, hold=0)[1][501] > 0
    late = NoveltyDetector()
    times = np.arange(600.0) * 60
    times[501:] += 200 * 60  # two hundred rows were lost
    found = [late.update(value, moment) for value, moment in zip(values.tolist(), times.tolist(), strict=True)]
    assert found[500] > 0.9
    assert found[501] > 0


def test_a_clock_that_jumps_counts_as_one_row() -> None:
    values = noisy(400)
    detector, plain = scored(values)
    times = np.arange(400.0)
    times[200:] -= 1e6
    times[300], times[310:320] = np.nan, 7.0
    jumping = NoveltyDetector()
    got = [jumping.update(v, t) for v, t in zip(values.tolist(), times.tolist(), strict=True)]
    assert got == plain.tolist()
    assert (jumping.held == detector.held).all()


def test_a_constant_series_is_never_odd_until_it_moves() -> None:
    _, scores = scored(np.append(np.full(500, 7.5), 7.6))
    assert (scores[:-1] == 0).all()
    assert scores[-1] > 0.999


@settings(max_examples=30, deadline=None)
@given(st.integers(152, 4096), st.integers(0, 2**31), st.integers(1, 900))
def test_what_is_held_is_of_what_was_seen_its_ends_among_it(capacity: int, seed: int, rows: int) -> None:
    values = np.random.default_rng(seed).lognormal(0, 2, rows).astype(np.float32)
    detector, _ = scored(values, capacity_bytes=capacity)
    assert detector.bytes == HEADER + VALUE * detector.capacity <= capacity < detector.bytes + 4 * VALUE
    held = detector.held
    assert np.isin(held, values).all()
    assert (np.diff(held) > 0).all()
    assert held[0] == values.min()
    assert held[-1] == values.max()
    assert held.size == min(np.unique(values).size, detector.capacity)
    assert detector.state_dict()["counts"][: held.size].astype(int).sum() == rows


def test_many_of_one_value_do_not_overflow_its_count() -> None:
    detector = NoveltyDetector(152)
    state = detector.state_dict()
    state["rows"][0], state["held"][0] = 70_000, 2
    state["values"][:2], state["counts"][:2] = (1, 2), (65_534, 9)
    detector.load_state_dict(state)
    detector.update(1.0)
    assert detector.state_dict()["counts"][:2].tolist() == [32_768, 5]


@pytest.mark.parametrize(
    ("given_", "field"),
    [
        ({"capacity_bytes": 151}, "capacity_bytes"),
        ({"capacity_bytes": 1.5}, "capacity_bytes"),
        ({"warm": -1}, "warm"),
        ({"hold": 10**7}, "hold"),
        ({"hold": "long"}, "hold"),
        ({"threshold": 1}, "threshold"),
        ({"threshold": float("nan")}, "threshold"),
        ({"threshold": "high"}, "threshold"),
    ],
)
def test_a_setting_that_cannot_be_is_named(given_: dict[str, object], field: str) -> None:
    with pytest.raises(InvalidInput, match=f"^{field} is .*: give "):
        NoveltyDetector(**given_)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("held", 25),
        ("rows", 2**31),
        ("age", 2**31),
        ("values", np.nan),
        ("values", -1e9),
        ("scale", 0),
        ("scale", np.nan),
        ("mean", -1),
        ("counts", 0),
    ],
)
def test_a_damaged_state_is_refused(name: str, value: float) -> None:
    detector, _ = scored(noisy(100), capacity_bytes=200)
    state, before = detector.state_dict(), detector.state_dict()
    state[name][-1 if name in ("held", "rows", "age") else min(3, state[name].size - 1)] = value
    with pytest.raises(InvalidInput, match="novelty state"):
        detector.load_state_dict(state)
    assert all(detector.state_dict()[k].tobytes() == v.tobytes() for k, v in before.items())
