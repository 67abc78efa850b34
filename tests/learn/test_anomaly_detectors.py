"""What every anomaly detector promises: few bytes, the same calls the same bits, nothing lost over a restart."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import selvedge.learn.anomaly as room
from selvedge.errors import InvalidInput
from selvedge.learn.anomaly.detector import AnomalyDetector

# How each is made, and how many numbers an update takes.
MADE: dict[str, tuple[Callable[[], Any], int]] = {
    "NoveltyDetector": (lambda: importlib.import_module("selvedge").NoveltyDetector(256), 1),
    "GaussianDetector": (lambda: importlib.import_module("selvedge").GaussianDetector(3, follow=True), 3),
    "VibrationDetector": (lambda: importlib.import_module("selvedge").VibrationDetector(64, warm=40), 64),
}
every = pytest.mark.parametrize("name", MADE)


def test_every_detector_of_the_room_is_held_to_the_contract() -> None:
    found = set()
    for module in pkgutil.iter_modules(room.__path__, f"{room.__name__}."):
        for name, kind in inspect.getmembers(importlib.import_module(module.name), inspect.isclass):
            if name.endswith("Detector") and kind is not AnomalyDetector:
                found.add(name)
    assert found == set(MADE)


def stream(name: str, rows: int, seed: int = 0) -> np.ndarray:
    values = np.random.default_rng(seed).standard_normal((rows, MADE[name][1])).cumsum(axis=0)
    values[::17, 0] = np.nan
    values[rows // 2, -1] = np.inf
    values[3 * rows // 4 :] += 40
    return values


@every
def test_it_is_a_detector_in_few_bytes_that_never_grow(name: str) -> None:
    detector = MADE[name][0]()
    assert isinstance(detector, AnomalyDetector)
    assert 0 < detector.threshold < 1
    begun = detector.bytes
    held = {k: v.ctypes.data for k, v in detector.__dict__.items() if isinstance(v, np.ndarray)}
    for value in stream(name, 300):
        assert 0 <= detector.update(value) <= 1
        assert detector.bytes == begun <= 4096
        assert sum(array.nbytes for array in detector.state_dict().values()) == begun
    assert {k: v.ctypes.data for k, v in detector.__dict__.items() if isinstance(v, np.ndarray)} == held


@every
def test_the_same_calls_give_the_same_bits_and_a_restart_loses_nothing(name: str) -> None:
    whole, first, second = (MADE[name][0]() for _ in range(3))
    values = stream(name, 400)
    expected = [whole.update(value, float(i)) for i, value in enumerate(values)]
    got = [first.update(value, float(i)) for i, value in enumerate(values[:237])]
    second.load_state_dict(first.state_dict())
    got += [second.update(value, float(i)) for i, value in enumerate(values[237:], 237)]
    assert got == expected
    assert max(expected) > 0
    for key, array in whole.state_dict().items():
        assert array.tobytes() == second.state_dict()[key].tobytes(), key


@every
def test_a_state_that_does_not_fit_is_refused_and_changes_nothing(name: str) -> None:
    detector = MADE[name][0]()
    for value in stream(name, 100):
        detector.update(value)
    before = detector.state_dict()
    for key, array in before.items():
        for wrong in (
            {k: v for k, v in before.items() if k != key},
            {**before, key: np.resize(array, array.size + 1)},
            {**before, key: array.astype(np.longdouble)},
            {**before, key: array.tolist()},
            {**before, f"{key}x": array},
            None,
        ):
            with pytest.raises(InvalidInput):
                detector.load_state_dict(wrong)
    after = detector.state_dict()
    assert all(after[key].tobytes() == array.tobytes() for key, array in before.items())


@every
def test_missing_values_score_nothing(name: str) -> None:
    detector = MADE[name][0]()
    for value in stream(name, 50):
        detector.update(value)
    for missing in (np.nan, np.inf, -np.inf):
        assert detector.update(np.full(MADE[name][1], missing)) == 0


@every
def test_what_is_no_number_is_one_clear_line_and_changes_nothing(name: str) -> None:
    detector = MADE[name][0]()
    for value in stream(name, 50):
        detector.update(value)
    before = detector.state_dict()
    for wrong in ("high", 10**400, [[1.0, 2.0], [3.0]], np.zeros((2, 7)), {}):
        with pytest.raises(InvalidInput, match=r"^value is .*: give "):
            detector.update(wrong)
    assert all(detector.state_dict()[key].tobytes() == array.tobytes() for key, array in before.items())


@every
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_no_stream_of_numbers_breaks_it(name: str, data: st.DataObject) -> None:
    """Numbers of every size, repeated and in runs: no warning (they are errors here), no score outside 0..1."""
    number = st.one_of(
        st.floats(width=64),
        st.sampled_from([0.0, -0.0, 1e-45, 1e-38, 1e38, -1e300, 1e300]),
        st.integers(-3, 3).map(float),
    )
    drawn = data.draw(st.lists(st.tuples(number, st.integers(1, 30)), min_size=1, max_size=30))
    values = [value for value, times in drawn for _ in range(times)]
    detector, width = MADE[name][0](), MADE[name][1]
    for i, value in enumerate(values):
        given_ = np.resize(np.array(values[i : i + width]), width) if i % 2 else np.full(width, value)
        assert 0 <= detector.update(given_, value) <= 1
    state = detector.state_dict()
    MADE[name][0]().load_state_dict(state)
