"""Curves over any range: round ticks, no point lost that can be seen, none drawn that is not there."""

from __future__ import annotations

import math
import re
import xml.etree.ElementTree as ET
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from selvedge.draw import Line, curves
from selvedge.draw.curves import MOST, drawn
from selvedge.draw.ticks import byte_ticks, numbers, span, ticks, widened

values = st.floats(-1e12, 1e12, allow_nan=False).map(lambda v: 0.0 if abs(v) < 1e-12 else v)


@given(st.lists(values, min_size=1))
@example([0.0])
@example([-3.0, -3.0])
@example([1e-9, 2e-9])
@example([0.1, 0.3])
def test_ticks_are_round_few_and_inside(found: list[float]) -> None:
    low, high = widened(*span(found))
    assert low <= min(found) + 1e-9 * (high - low)
    assert high >= max(found) - 1e-9 * (high - low)
    at = ticks(low, high)
    assert 2 <= len(at) <= 8
    slack = 1e-6 * (high - low)
    assert all(low - slack <= t <= high + slack for t in at)
    if all(abs(b - a) > 1e-9 * max(abs(a), abs(b)) for a, b in pairwise(at)):
        texts = numbers(at)
        if high - low > 1e-3 * max(abs(low), abs(high)):
            assert len(set(texts)) == len(texts), texts


@given(st.integers(0, 1 << 32), st.integers(1, 1 << 32))
def test_byte_ticks_are_few_and_inside(low: int, size: int) -> None:
    at, unit = byte_ticks(low, low + size)
    assert len(at) <= 6
    assert all(low <= t <= low + size for t in at)
    assert unit in ("B", "KiB", "MiB")


def polylines(page: str) -> list[list[tuple[float, float]]]:
    return [
        [tuple(map(float, p.split(","))) for p in points.split()]
        for points in re.findall(r'<polyline[^>]*points="([^"]*)"', page)
    ]


@given(st.lists(st.tuples(values, values), min_size=1, max_size=30), st.booleans())
def test_every_point_is_in_the_plot(points: list[tuple[float, float]], percent: bool) -> None:
    page = curves("t", "x", "y", [Line("l", "a", points)], percent=percent)
    assert "nan" not in page
    assert "inf" not in page.replace("info", "")
    for line in polylines(page):
        assert all(-0.1 <= x <= 1000.1 and -0.1 <= y <= 1000.1 for x, y in line)


def test_what_is_not_finite_is_left_out_and_an_empty_curve_is_a_picture() -> None:
    points = [(0.0, 1.0), (1.0, math.nan), (2.0, math.inf), (3.0, 0.5)]
    page = curves("t", "x", "y", [Line("l", "a", points), Line("none", "b", [])])
    assert [len(line) for line in polylines(page)] == [2]
    assert "<b>0.5</b>" in page
    assert "<b>-</b>" in page
    ET.fromstring(curves("t", "x", "y", [], svg=True))


def test_a_long_curve_keeps_its_extremes() -> None:
    points = [(float(i), math.sin(i / 50) + (5.0 if i == 12_345 else 0.0)) for i in range(50_000)]
    kept = drawn(points)
    assert len(kept) <= MOST
    assert kept == sorted(kept)
    assert max(points, key=lambda p: p[1]) in kept
    assert set(kept) <= set(points)


def test_what_comes_from_outside_is_escaped() -> None:
    bad = '<script>alert("x")</script>&'
    for svg in (False, True):
        page = curves(bad, bad, bad, [Line(bad, "a", [(0, 0), (1, 1)])], svg=svg)
        assert "<script>" not in page
        ET.fromstring(page if svg else f"<x>{page}</x>")


@pytest.mark.parametrize("percent", [False, True])
def test_the_legend_gives_the_last_value(percent: bool) -> None:
    page = curves("t", "x", "y", [Line("l", "a", [(0, 0.25), (1, 0.875)])], percent=percent)
    assert ("<b>87.5%</b>" if percent else "<b>0.875</b>") in page
