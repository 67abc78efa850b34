"""Digits learnt with the optimiser's state in 2 bytes and in 1 1/16, beside the whole state: five seeds each."""

from __future__ import annotations

from statistics import mean
from typing import Any

from . import optimizer_state

MARGIN = 0.015  # of accuracy: more than two standard deviations of the mean of five seeds with the whole state


def prove() -> dict[str, Any]:
    """The rows of the table, and the table itself as text.

    Raises ``AssertionError`` unless every arena is as planned, every state takes the bytes it should, and no mean
    accuracy is ``MARGIN`` below that of the whole state.
    """
    rows = list(optimizer_state.run())
    wrong = optimizer_state.slower(rows)
    assert not wrong, wrong[0]
    whole = {r["optimizer"]: mean(r["accuracy"]) for r in rows if r["state"] == "float32"}
    for row in rows:
        lost = whole[row["optimizer"]] - mean(row["accuracy"])
        assert lost <= MARGIN, f"{row['optimizer']}, {row['state']}: {lost:.1%} less right than with the whole state"
    return {"rows": rows, "table": optimizer_state.table(rows).splitlines()}
