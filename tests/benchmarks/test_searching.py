"""What choosing for learning gains is counted by test sample and person; the networks of the spaces take their data."""

from __future__ import annotations

import pytest
import torch

from benchmarks.searching.experiment import TASKS, WAYS, separable, series, summary, table


def person(seed: int, answers: tuple[str, str, str, str]) -> dict:
    about = {"run_bytes": 10, "train_bytes": 20, "learns": 3}
    rows = [{"way": w, "right": a, **about} for w, a in zip(WAYS, answers, strict=True)]
    return {"task": "fsdd", "seed": seed, "fold": 0, "samples": [9, 4, 4], "dummy": 0.1, "rows": rows, "seconds": 1.0}


def test_what_is_gained_is_the_mean_difference_of_the_adapted_ways():
    cases = [person(0, ("0000", "0011", "0001", "0111")), person(1, ("1000", "1100", "1000", "1100"))]
    made = summary(cases)["fsdd"]
    assert made["gained"]["mean"] == pytest.approx(1 / 8)
    assert (made["better"], made["worse"], made["people"], made["tests"]) == (1, 0, 2, 8)
    assert made["ways"][WAYS[3]]["accuracy"] == pytest.approx(5 / 8)
    assert made["ways"][WAYS[0]]["accuracy"] == pytest.approx(1 / 8)
    text = table(summary(cases))
    assert "| gained by choosing to learn | +12.50" in text
    assert "better for 1, worse for 0" in text


def test_the_networks_of_the_spaces_take_their_data():
    assert separable(0.5, 2)(torch.zeros(2, 1, 32, 20)).shape == (2, 10)
    assert series(0.5)(torch.zeros(2, 6, 100)).shape == (2, 5)
    assert all(len(list(task.space().architectures(3 if name == "fsdd" else 2))) >= 8 for name, task in TASKS.items())
