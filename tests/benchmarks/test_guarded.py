"""The benchmark of rates and guards: its own code on short streams, and the page with the committed cases."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.guarded import labels, page, rates, unlabelled
from benchmarks.guarded.__main__ import KEPT
from benchmarks.readme import between
from tests.data.folders import shared

ROOT = Path(__file__).parents[2]
SEED = 103  # of no table, and of no choice


def test_a_guard_of_labels_on_a_short_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    shared("mnist_png")
    monkeypatch.setattr(labels, "CAMERAS", ("",))
    monkeypatch.setattr(labels, "PERCENT", (40,))
    (row,) = labels.rows(SEED, 160)
    assert 40 < row["wrong"] < 90
    assert row["refused wrong"] > 0.6 * row["wrong"] * 120 / 160
    assert row["refused"] - row["refused wrong"] < 10
    assert row["guarded began"] > 0.9


def test_what_has_no_labels_on_a_short_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    shared("mnist_png")
    monkeypatch.setattr(unlabelled, "STREAMS", ("fog",))
    monkeypatch.setattr(unlabelled, "OBJECTIVES", {"entropy (Tent)": unlabelled.OBJECTIVES["entropy (Tent)"]})
    norms, whole = unlabelled.rows(SEED, 640)
    assert norms["guarded changed"] == norms["plain changed"] > norms["frozen changed"] + 0.1
    assert whole["plain changed"] < whole["frozen changed"] - 0.1
    assert whole["guarded changed"] == whole["frozen changed"]
    assert whole["why"]
    assert whole["exact"]
    assert not norms["why"]


def test_rates_on_a_short_stream_and_one_person(monkeypatch: pytest.MonkeyPatch) -> None:
    shared("mnist_png")
    monkeypatch.setattr(rates, "CAMERAS", ("dim",))
    monkeypatch.setattr(rates, "_all", lambda: [0.001, "auto"])
    (row,) = rates.streams(SEED, 48)
    assert set(row["right"]) == {"0.001", "auto"}
    assert "diverges" in row["found"]


def test_the_page_shows_the_committed_cases() -> None:
    cases = [json.loads(path.read_text()) for path in sorted(KEPT.glob("*.json"))]
    made = page.made(cases)
    assert made.keys() == page.TABLES.keys()
    for name, table in made.items():
        assert between((ROOT / page.DOCS).read_text(), name) == table, "run python -m benchmarks.guarded --show --write"
    with pytest.raises(ValueError, match="several hyper-parameters"):
        page.made([*cases, {**cases[0], "habits": {}}])


def test_every_collapse_was_taken_back_to_the_bit() -> None:
    rows = [row for path in KEPT.glob("unlabelled-*.json") for row in json.loads(path.read_text())["rows"]]
    stopped = [row for row in rows if row["why"]]
    assert len(stopped) > 5
    assert all(row["exact"] for row in stopped)
