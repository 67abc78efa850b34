"""Habits that cannot be are refused by name."""

from __future__ import annotations

from typing import Any

import pytest

from selvedge.errors import InvalidInput
from selvedge.learn.habits import Habits


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("every", 0), ("every", 1.5), ("every", True), ("steps", 0), ("hold_out", -1), ("warm", -1), ("boost", 0),
        ("alpha", 0.0), ("alpha", 1.0), ("error", float("nan")), ("drop", 1.0), ("shadow", 0.0),
        ("shadow", float("inf")), ("rate", 0.0), ("rate", float("inf")), ("shares", (0.5, 0.5)),
        ("shares", (0.0, 0.0, 0.0)), ("shares", (-1.0, 1.0, 1.0)), ("shares", (float("nan"), 1.0, 1.0)), ("blends", ()),
        ("blends", (0.5, 1.0)), ("blends", (1.0, 1.0)), ("blends", (1.5,)), ("blends", (1.0, 0.0)), ("drift", "panic"),
    ],
)  # fmt: skip
def test_a_habit_that_cannot_be_is_refused_by_name(name: str, value: Any) -> None:
    with pytest.raises(InvalidInput, match=name):
        Habits(**{name: value})


def test_none_is_held_out_and_nothing_is_warmed_where_that_is_said() -> None:
    assert Habits(hold_out=0, warm=0, rate=0.1, shares=(1, 0, 0)).shares == (1, 0, 0)
