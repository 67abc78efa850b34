"""What every detector promises: each row of the registry is found, and each file has its row."""

from __future__ import annotations

import tracemalloc
from importlib import import_module
from inspect import signature
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selvedge.errors import InvalidInput
from selvedge.learn import drift
from selvedge.learn.drift.detector import Detector
from selvedge.learn.drift.registry import DETECTORS, detector

from .streams import of

every = pytest.mark.parametrize("name", DETECTORS)
NOT_NUMBERS = [float("nan"), float("inf"), -float("inf"), 1e200, None, "1", 1j, 10**400]


def stream(name: str, low: float, high: float, n: int = 600, seed: int = 0) -> list[float]:
    """``n`` numbers about ``low``, or errors at that rate, then ``n`` about ``high``."""
    rng = np.random.default_rng(seed)
    levels = np.repeat([low, high], n)
    numbers = rng.random(2 * n) < levels if DETECTORS[name].takes == "errors" else rng.normal(levels, 0.2)
    return [float(x) for x in numbers]


def drifts(found: Detector, numbers: list[float]) -> list[int]:
    places = []
    for i, x in enumerate(numbers):
        found.update(x)
        if found.drift:
            places.append(i)
    return places


def equal(a: Any, b: Any) -> bool:
    return a.keys() == b.keys() and all(np.array_equal(a[n], b[n]) and a[n].dtype == b[n].dtype for n in a)


def test_every_detector_in_the_folder_has_its_row() -> None:
    """A class of a file there that has what a detector has is in the table."""
    files = Path(drift.__file__).parent.glob("*.py")
    modules = [import_module(f"selvedge.learn.drift.{file.stem}") for file in files if file.stem != "__init__"]
    wanted = {n for n in dir(Detector) if n[0] != "_"} | {"takes"}
    classes = {
        value
        for module in modules
        for value in vars(module).values()
        if isinstance(value, type) and value is not Detector and wanted - {"drift", "warning"} <= set(dir(value))
    }
    assert classes == set(DETECTORS.values())
    assert len(classes) >= 4


@every
def test_a_change_is_found_soon_and_nothing_where_nothing_changes(name: str) -> None:
    low, high = (0.1, 0.6) if DETECTORS[name].takes == "errors" else (0.0, 2.0)
    places = drifts(detector(name if name != "page-hinkley" else "page-hinkley:threshold=10"), stream(name, low, high))
    assert places
    assert 600 <= places[0] < 700
    assert drifts(detector(name), [0.0] * 2000) == []


@every
def test_its_bytes_are_those_of_its_state_and_stay_so(name: str) -> None:
    found = detector(name)
    bytes_ = found.bytes
    tracemalloc.start()
    try:
        for part in range(4):
            for x in stream(name, 0.1, 0.12, 300, part):
                found.update(x)
            assert found.bytes == bytes_ == sum(array.nbytes for array in found.state_dict().values())
            if part == 1:
                held = tracemalloc.get_traced_memory()[0]
        assert tracemalloc.get_traced_memory()[0] < held + 2048
    finally:
        tracemalloc.stop()


@every
@given(data=st.data())
@settings(max_examples=15, deadline=None)
def test_one_that_loads_a_state_goes_on_to_the_bit(name: str, data: st.DataObject) -> None:
    numbers = data.draw(of(DETECTORS[name].takes))
    first, second = detector(name), detector(name)
    cut = data.draw(st.integers(0, len(numbers)))
    drifts(first, numbers[:cut])
    drifts(second, numbers[: cut // 2])  # whatever it remembers is gone
    second.load_state_dict(first.state_dict())
    assert (second.drift, second.warning) == (first.drift, first.warning)
    assert drifts(first, numbers[cut:]) == drifts(second, numbers[cut:])
    assert equal(first.state_dict(), second.state_dict())
    first.reset()
    assert equal(first.state_dict(), detector(name).state_dict())


@every
def test_a_state_is_a_copy(name: str) -> None:
    found = detector(name)
    drifts(found, stream(name, 0.1, 0.1, 50))
    state = found.state_dict()
    kept = {n: a.copy() for n, a in state.items()}
    drifts(found, stream(name, 0.3, 0.3, 50))
    assert equal(state, kept)
    found.load_state_dict(state)
    drifts(found, stream(name, 0.3, 0.3, 50))
    assert equal(state, kept)


@every
@pytest.mark.parametrize("value", NOT_NUMBERS, ids=lambda v: str(v)[:9])
def test_what_is_no_number_is_refused_and_changes_nothing(name: str, value: Any) -> None:
    found = detector(name)
    drifts(found, stream(name, 0.1, 0.1, 50))
    state = found.state_dict()
    with pytest.raises(InvalidInput, match="value is") as refused:
        found.update(value)
    assert "\n" not in str(refused.value)
    assert equal(found.state_dict(), state)


def test_ddm_takes_errors_alone() -> None:
    for value in (0.5, -1.0, 2):
        with pytest.raises(InvalidInput, match=r"ddm value is .*: give 0 for right and 1 for wrong"):
            detector("ddm").update(value)
    found = detector("ddm")
    for value in (0, 1, np.int64(1), np.float32(0), True, np.bool_(False)):
        found.update(value)


@every
def test_a_state_of_another_is_refused_and_changes_nothing(name: str) -> None:
    found = detector(name)
    drifts(found, stream(name, 0.1, 0.1, 50))
    state = found.state_dict()
    first = next(iter(state))
    for bad in (
        None,
        {},
        {n: a.tolist() for n, a in state.items()},
        *({**state, n: np.full_like(a, np.nan)} for n, a in state.items() if a.dtype.kind == "f"),
        {**state, "more": np.zeros(1)},
        {**state, first: np.zeros((3, 3, 3))},
        {**state, "drift": np.zeros((), np.float64)},
    ):
        with pytest.raises(InvalidInput, match=f"{name} state"):
            found.load_state_dict(bad)
        assert equal(found.state_dict(), state)


def test_a_state_whose_counts_cannot_be_is_refused() -> None:
    for name, changed in (
        ("adwin", {"counts": np.full(20, 9, np.uint8)}),
        ("adwin", {"width": np.array(7.0)}),
        ("kswin", {"held": np.array(101, np.uint32)}),
        ("ddm", {"rate": np.array(1.5)}),
        ("ddm", {"n": np.array(np.nan)}),
    ):
        found = detector(name)
        with pytest.raises(InvalidInput, match=f"{name} state"):
            found.load_state_dict({**found.state_dict(), **changed})


def test_a_window_of_adwin_ends_where_its_rows_do() -> None:
    small, large = detector("adwin:rows=4"), detector("adwin")
    numbers = stream("adwin", 0.5, 0.5, 1500)
    assert drifts(small, numbers) == drifts(large, numbers) == []
    assert large.width == 3000
    assert small.width <= 5 * 15
    assert small.mean == pytest.approx(np.mean(numbers[-int(small.width) :]))
    assert small.variance == pytest.approx(np.var(numbers[-int(small.width) :]) * small.width)
    assert small.bytes < large.bytes / 4


def test_few_false_alarms_where_nothing_changes() -> None:
    """KSWIN tests every number at 0.5 %, and its tests overlap: it is the one that raises some."""
    most = {"page-hinkley": 0, "adwin": 1, "kswin": 30, "ddm": 8}
    for name in DETECTORS:
        assert len(drifts(detector(name), stream(name, 0.2, 0.2, 2000))) <= most.get(name, 0), name


@every
def test_every_setting_can_be_given_as_text(name: str) -> None:
    settings = {n: p.default for n, p in signature(DETECTORS[name]).parameters.items() if n != "draw"}
    text = name + ":" + ", ".join(f"{n} = {v}" for n, v in settings.items())
    made, plain = detector(text), detector(name)
    for setting, value in settings.items():
        assert getattr(made, setting) == getattr(plain, setting) == value


def test_settings_are_taken() -> None:
    made = detector("page-hinkley:threshold=20,mode=up,min_instances=5")
    assert (made.threshold, made.mode, made.min_instances) == (20.0, "up", 5)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "detector is empty: give one of page-hinkley, adwin, kswin, ddm"),
        ("pagehinkley", "detector is pagehinkley: give one of"),
        ("adwin:", "detector adwin is empty: behind the colon give each once, as delta=..., of delta, clock"),
        ("adwin:depth=3", "detector adwin is depth=3: behind the colon"),
        ("adwin:delta", "detector adwin is delta: behind the colon"),
        ("adwin:delta=0.1,delta=0.2", "detector adwin is delta=0.2: behind the colon"),
        ("kswin:draw=3", "detector kswin is draw=3"),
        ("adwin:delta=x", r"adwin delta is x: give a number \(float\)"),
        ("adwin:clock=1.5", r"adwin clock is 1.5: give a number \(int\)"),
        ("adwin:clock=0", r"adwin clock is 0: give a whole number in 1..1073741824"),
        ("adwin:delta=2", "adwin delta is 2.0: give a number in"),
        ("kswin:window_size=59", "kswin window_size is 59: give a whole number in 60.."),
        ("page-hinkley:mode=left", "page-hinkley mode is left: give up, down, both"),
        ("page-hinkley:alpha=nan", "page-hinkley alpha is nan: give a number in 0..1"),
        ("ddm:warm_start=-1", "ddm warm_start is -1: give a whole number in 0.."),
    ],
)
def test_text_that_names_none_is_refused_in_one_line(text: str, says: str) -> None:
    with pytest.raises(InvalidInput, match=says) as refused:
        detector(text)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("name", "part", "value"), [("page-hinkley", "n", -1.0), ("adwin", "tick", -1.0), ("adwin", "tick", 32.0)]
)
def test_a_count_that_cannot_be_is_refused(name: str, part: str, value: float) -> None:
    found = detector(name)
    with pytest.raises(InvalidInput, match=f"{name} state {part} is {value}: give "):
        found.load_state_dict(found.state_dict() | {part: np.array(value)})
