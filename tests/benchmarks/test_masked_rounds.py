"""The benchmark of masked rounds: what it makes of its cases, and the page with the committed ones."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from benchmarks.masked_rounds import experiment, page
from benchmarks.masked_rounds.__main__ import KEPT
from benchmarks.masked_rounds.experiment import PLAIN, TASKS, WAYS, case, summary
from benchmarks.readme import between

ROOT = Path(__file__).parents[2]
MASKED = list(WAYS)[1]


def made(way: str, seed: int, last: float, up: int, stages: dict[str, int]) -> dict[str, Any]:
    return {"task": "digits", "seed": seed, "way": way, "size": 1000, "answers": 10, "last": last, "up": up,
            "stages": stages, "seconds": 1.0}  # fmt: skip


def test_every_byte_is_counted_and_seeds_are_compared_in_pairs() -> None:
    stages = {"keys": 300, "shares": 500, "input": 2500, "consent": 100, "unmask": 100}
    cases = [
        made(PLAIN, 0, 0.9, 40_500, {}), made(PLAIN, 1, 0.8, 40_500, {}),
        made(MASKED, 0, 0.895, 4000, stages), made(MASKED, 1, 0.785, 4000, stages), made(MASKED, 2, 0.1, 4000, stages),
    ]  # fmt: skip
    row = summary(cases)["digits"][MASKED]
    assert row["apart"] == pytest.approx([-0.005, -0.015])
    assert (row["up"], row["fewer"], row["values"]) == (400, 10.0, 16.0)
    assert row["stages"]["heads"] == 50
    (said,) = page.verdicts(summary(cases))
    assert "10.0 times fewer bytes, all counted, of 14 (not met); 1.0 points less right, of 1" in said
    # Of 400 B a quarter of 1,000 values of 4 + 5 bits are 281.25; of a parameter 4 / 14 B may be had, it has 9 / 32.
    assert said.endswith("14 times are of models from 26,600 parameters on")


def test_a_case_runs_the_whole_protocol(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(experiment.TASKS, "digits", replace(TASKS["digits"], rounds=5, clients=8))
    found = case("digits", 0, MASKED)
    assert (found["size"], found["answers"]) == (4810, 40)
    assert set(found["stages"]) == {"keys", "shares", "input", "consent", "unmask"}
    assert sum(found["stages"].values()) < found["up"] < 40 * 4810
    assert len(found["course"]["test"]) == 1


def test_the_page_shows_the_committed_cases() -> None:
    assert between((ROOT / page.DOCS).read_text(), "masked-rounds") == page.table(page.read(KEPT))
