"""Numbers that remember how they were made."""

from __future__ import annotations

from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selvedge.advising.figure import Sum, number, total
from selvedge.advising.figure import given as figure

from .check import worked_out


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"), (7, "7"), (1_234_567, "1,234,567"), (1_169_799.5, "1,169,800"), (0.1, "0.1"), (1 / 3, "0.3333333"),
        (0.00012345678, "0.0001234568"), (8.548473e-7, "8.548473e-07"), (123.456789, "123.4568"), (100.0, "100"),
        (12_767.81, "12,767.81"), (1e15, "1e+15"), (inf, "infinite"),
    ],
)  # fmt: skip
def test_a_number_has_seven_digits(value: float, text: str) -> None:
    assert number(value) == text


@given(st.floats(1e-30, 1e30))
def test_no_printed_number_is_off_by_more_than_its_digits(value: float) -> None:
    assert abs(worked_out(number(value)) - value) <= 5.1e-7 * value


def test_text_and_value_go_together() -> None:
    made = (figure(3, "B") + figure(4, "B")) * figure(2) / (figure(5, "B/s") * figure(7))
    assert made.text == "(3 B + 4 B) x 2 / (5 B/s x 7)"
    assert made.value == pytest.approx(0.4)
    assert (figure(9) - (figure(2) - figure(1))).text == "9 - (2 - 1)"
    assert (figure(9) - (figure(2) - figure(1))).value == 8
    assert total(figure(0, "s"), figure(2, "s")).text == "2 s"
    assert str(Sum.of("time", figure(6, "B") / figure(3, "B/s"), "s")) == "time = 6 B / 3 B/s = 2 s"
    assert str(Sum.of("none", total(), "s")) == "none = 0 s"


def test_nothing_takes_no_time_and_something_never_ends_without_a_link() -> None:
    assert (figure(0, "B") / figure(0, "B/s")).value == 0
    assert (figure(1, "B") / figure(0, "B/s")).value == inf
    assert (figure(0) * figure(inf)).value == 0
