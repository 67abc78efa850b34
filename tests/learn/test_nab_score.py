"""The benchmark's score: a plain reading of its rules, row by row, against the fast one."""

from __future__ import annotations

from math import exp

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selvedge.errors import InvalidInput
from selvedge.learn.anomaly.nab import curve, judge


def plainly(rows: int, windows: list[tuple[int, int]], alarms: set[int]) -> float:
    """Points of one series, as the paper's section II.B and C tells it."""

    def sigmoid(position: float) -> float:
        return -1.0 if position > 3 else 2 / (1 + exp(5 * position)) - 1

    points, probation = 0.0, int(0.15 * min(rows, 5000))
    for first, last in windows:
        inside = [a for a in alarms if first <= a <= last and a >= probation]
        width = last - first + 1
        points += sigmoid(-(last - min(inside) + 1) / width) / sigmoid(-1) if inside else -1
    for alarm in alarms:
        if alarm >= probation and not any(first <= alarm <= last for first, last in windows):
            before = [w for w in windows if w[1] < alarm]
            position = (alarm - before[-1][1]) / (before[-1][1] - before[-1][0]) if before else 9.0
            points += 0.11 * sigmoid(position)
    return points


@st.composite
def labelled(draw: st.DrawFn) -> tuple[int, list[tuple[int, int]], list[int]]:
    rows = draw(st.integers(10, 200))
    cuts = sorted(draw(st.sets(st.integers(0, rows - 1), max_size=8)))
    windows = [(a, b) for a, b in zip(cuts[::2], cuts[1::2], strict=False)]
    return rows, windows, draw(st.lists(st.integers(0, 4), min_size=rows, max_size=rows))


@settings(max_examples=60, deadline=None)
@given(st.lists(labelled(), min_size=1, max_size=4))
def test_every_threshold_gains_what_the_rules_say(corpus: list[tuple[int, list[tuple[int, int]], list[int]]]) -> None:
    found = curve([judge(rows, windows) for rows, windows, _ in corpus], [scores for _, _, scores in corpus])
    assert found.windows == sum(len(windows) for _, windows, _ in corpus)
    for threshold in (-1, 0, 1, 2.5, 3, 4, 5):
        expected = sum(
            plainly(rows, windows, {i for i, s in enumerate(scores) if s >= threshold})
            for rows, windows, scores in corpus
        )
        assert found.points(threshold) == pytest.approx(expected, abs=1e-9)


def test_silence_is_0_and_an_alarm_at_the_start_of_each_window_is_100() -> None:
    windows = [(100, 139), (200, 260), (400, 410)]
    perfect, judged = np.zeros(500), judge(500, windows)
    perfect[[first for first, _ in windows]] = 1
    assert curve([judged], [perfect]).best == (pytest.approx(100), 1)
    assert curve([judged], [np.full(500, np.nan)]).best == (0, float("inf"))
    assert curve([judged], [np.arange(500) < 75]).best == (0, float("inf")), "the first 15 % are not judged"


def test_a_missing_score_is_no_alarm() -> None:
    judged, scores = judge(100, [(50, 60)]), np.full(100, np.nan)
    scores[50], scores[90] = 1.0, np.inf
    assert curve([judged], [scores]).best == (pytest.approx(100), 1)


@pytest.mark.parametrize("windows", [[(5, 5)], [(5, 100)], [(-1, 5)], [(5, 9), (9, 12)], [(20, 30), (5, 9)]])
def test_windows_that_cannot_be_are_named(windows: list[tuple[int, int]]) -> None:
    with pytest.raises(InvalidInput, match=r"^window \d is .*: give rows"):
        judge(100, windows)


def test_scores_of_another_length_are_named() -> None:
    with pytest.raises(InvalidInput, match=r"scores of series 0 is .*: give 100"):
        curve([judge(100, [])], [np.zeros(99)])
    with pytest.raises(InvalidInput, match=r"scores is .*: give 1"):
        curve([judge(100, [])], [])
