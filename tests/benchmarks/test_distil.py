"""The benchmark of distillation: one small case on real data, and what its table says of made-up ones."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from torch import nn

from benchmarks.distil.experiment import case, summary, table
from benchmarks.distil.tasks import pictures, series
from benchmarks.distil.ways import STUDENT, TEACHER, WAYS
from tests.data.folders import shared


def made_up(seed: int, gained: float) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    alone = rng.random(2000) < 0.8
    taught = alone | (rng.random(2000) < gained) if gained > 0 else alone & (rng.random(2000) >= -gained)
    rows = [
        {"way": way, "epoch": 1, "parameters": 10, "best": text, "last": text}
        for way, text in (("alone", _text(alone)), ("Logits", _text(taught)))
    ]
    return {"task": "t", "seed": seed, "fold": 0, "samples": [1, 1, 2000], "dummy": 0.1, "rows": rows, "seconds": 1.0}


def _text(right: np.ndarray) -> str:
    return "".join("01"[int(r)] for r in right)


@pytest.mark.parametrize(("gained", "said"), [(0.2, "helps"), (-0.05, "hurts"), (0.0, "open")])
def test_what_is_gained_is_paired_and_judged(gained: float, said: str) -> None:
    cases = [made_up(seed, gained) for seed in range(4)]
    row = summary(cases)["t"]["ways"]["Logits"]["best gained"]
    assert row["low"] <= row["mean"] <= row["high"]
    wanted = 0.2 * gained if gained > 0 else 0.8 * gained
    assert row["mean"] == pytest.approx(wanted, abs=0.01)
    line = next(line for line in table(summary(cases)).splitlines() if "Logits" in line)
    assert f"| {said} |" in line


def test_one_seed_is_not_judged() -> None:
    assert "helps" not in table(summary([made_up(0, 0.3)]))


def test_one_case_has_every_way_on_one_student() -> None:
    shared("fashion_mnist_sprite900")
    found = case("fashion", 0, 0, epochs=1)
    assert [r["way"] for r in found["rows"]] == ["teacher", "alone", *WAYS]
    assert all(len(r["best"]) == len(r["last"]) == found["samples"][2] == 180 for r in found["rows"])
    sizes = {r["parameters"] for r in found["rows"][1:]}
    assert len(sizes) == 1
    assert 4 * sizes.pop() < found["rows"][0]["parameters"]


@pytest.mark.parametrize("make", [pictures, series])
def test_the_student_is_the_teacher_made_narrow(make: Callable[[float], nn.Module]) -> None:
    large, small = make(TEACHER), make(STUDENT)
    assert [type(part) for part in large] == [type(part) for part in small]
    assert [sum(p.numel() for p in net.parameters()) for net in (large, small)] in ([9_242, 1_130], [8_405, 665])
