"""river is the oracle: the same drifts at the same places, on random streams with random settings."""

from __future__ import annotations

import random
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selvedge.learn.drift.adwin import ADWIN
from selvedge.learn.drift.ddm import DDM
from selvedge.learn.drift.detector import Detector
from selvedge.learn.drift.kswin import KSWIN, chance
from selvedge.learn.drift.page_hinkley import PageHinkley

from .streams import errors, numbers


@pytest.fixture(scope="module")
def river() -> ModuleType:
    """Imported here: it takes seconds, and other tests do not need it."""
    from river import drift

    return drift


@pytest.fixture(scope="module", autouse=True)
def seen() -> Iterator[dict[str, int]]:
    """How many drifts of each detector were compared: equality of streams without one would say little."""
    found: dict[str, int] = {}
    yield found
    assert all(count >= 40 for count in found.values()), found


Told = list[tuple[bool, bool]]


def told(seen: dict[str, int], ours: Detector, theirs: Any, stream: list[float]) -> tuple[Told, Told]:
    """Drift and warning behind each number, ours and river's."""
    mine, rivers = [], []
    for value in stream:
        ours.update(value)
        theirs.update(value)
        mine.append((ours.drift, ours.warning))
        rivers.append((theirs.drift_detected, getattr(theirs, "warning_detected", False)))
    seen[type(ours).__name__] = seen.get(type(ours).__name__, 0) + sum(drift for drift, _ in mine)
    return mine, rivers


@given(
    stream=numbers(),
    min_instances=st.sampled_from([1, 10, 30]),
    delta=st.sampled_from([0.0, 0.005, 0.3]),
    threshold=st.sampled_from([0.5, 5.0, 50.0]),
    alpha=st.sampled_from([0.9999, 1.0, 0.9]),
    mode=st.sampled_from(["up", "down", "both"]),
)
@settings(max_examples=60, deadline=None)
def test_page_hinkley_is_rivers(river: ModuleType, seen: dict[str, int], stream: list[float], **given: Any) -> None:
    mine, rivers = told(seen, PageHinkley(**given), river.PageHinkley(**given), stream)
    assert mine == rivers


@given(
    stream=numbers(),
    delta=st.sampled_from([0.0002, 0.002, 0.05, 0.8]),
    clock=st.sampled_from([1, 7, 32]),
    max_buckets=st.sampled_from([2, 5, 9]),
    min_window_length=st.sampled_from([1, 5, 20]),
    grace_period=st.sampled_from([1, 10, 100]),
)
@settings(max_examples=60, deadline=None)
def test_adwin_is_rivers(river: ModuleType, seen: dict[str, int], stream: list[float], **given: Any) -> None:
    ours, theirs = ADWIN(**given), river.ADWIN(**given)
    mine, rivers = told(seen, ours, theirs, stream)
    assert mine == rivers
    assert (ours.width, ours.total, ours.variance) == (theirs.width, theirs.total, theirs.variance)


@given(
    stream=errors(),
    warm_start=st.sampled_from([0, 5, 30]),
    warning_threshold=st.sampled_from([1.0, 2.0]),
    drift_threshold=st.sampled_from([1.5, 3.0]),
)
@settings(max_examples=60, deadline=None)
def test_ddm_is_rivers(river: ModuleType, seen: dict[str, int], stream: list[float], **given: Any) -> None:
    mine, rivers = told(seen, DDM(**given), river.binary.DDM(**given), stream)
    assert mine == rivers


@given(
    stream=numbers(shortest=45, longest=90),
    alpha=st.sampled_from([0.0001, 0.005, 0.1]),
    sizes=st.sampled_from([(60, 30), (40, 20), (25, 7)]),
    seed=st.integers(0, 1 << 30),
)
@settings(max_examples=20, deadline=None)
def test_kswin_is_rivers_when_it_draws_the_same(
    river: ModuleType, seen: dict[str, int], stream: list[float], alpha: float, sizes: tuple[int, int], seed: int
) -> None:
    """river draws from Python's generator, which begins again with each window: so does the one handed in here."""
    theirs = river.KSWIN(alpha=alpha, window_size=sizes[0], stat_size=sizes[1], seed=seed)
    ours = KSWIN(alpha, *sizes, draw=lambda n, k: theirs_next.sample(range(n), k))
    for i, value in enumerate(stream):
        theirs_next = random.Random(seed)
        if not theirs.drift_detected:
            theirs_next.setstate(theirs._rng.getstate())
        ours.update(value)
        theirs.update(value)
        assert ours.drift == theirs.drift_detected, i
        seen["KSWIN"] = seen.get("KSWIN", 0) + ours.drift


def test_the_chance_of_kswin_is_scipys() -> None:
    from scipy.stats import ks_2samp

    for n in (1, 2, 7, 30, 101):
        assert chance(n, 1) == pytest.approx(1)  # scipy's rounding may take it above 1, and then it is not exact
        for h in range(2, n + 1):
            shifted = [i + 0.5 + h - 1 for i in range(n)]  # h of the n numbers 0, 1, ... lie below all but these
            found = ks_2samp(range(n), shifted, method="exact")
            assert round(found.statistic * n) == h
            assert chance(n, h) == pytest.approx(found.pvalue, rel=1e-12)
