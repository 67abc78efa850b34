"""What a person is shown is there for machines too."""

from __future__ import annotations

import json

import pytest

import selvedge as sv
from selvedge.advising.tell import size, text

from .base import COSTS, scenario

LEARNS = {"learning_times_per_day": 1, "learning_samples": 50, "learning_steps": 100}


@pytest.mark.parametrize("dtype", ["float32", "int8"])
def test_every_cut_and_every_place_to_learn_is_data(dtype: str) -> None:
    made = sv.advise(scenario(**LEARNS, split_dtype=dtype), COSTS)
    found = json.loads(json.dumps(made.to_dict(), allow_nan=False))
    each = 1 if dtype == "int8" else 4
    assert [way["crosses_bytes"] for way in found["splits"]] == [4096 * each, 512 * each]
    assert [way["learning"] for way in found["learnings"]] == ["on the device", "federated", "in the cloud"]
    shown = " ".join(text(made).split())
    for way in found["splits"]:
        assert f"{way['at']} {way['cut']} {size(way['crosses_bytes'])} " in shown
    for way in found["learnings"]:
        over = size(way["up_bytes_per_day"] + way["down_bytes_per_day"])
        assert f"{way['learning']}: {over} a day over the link" in shown


def test_a_device_alone_has_no_others_to_teach() -> None:
    """It is told to learn together, and there is nobody else: what it learns stays."""
    for fleet, broken in ((1, []), (2, ["the others learn of it"])):
        made = sv.advise(scenario(**LEARNS, learning_together=True, fleet=fleet), COSTS)
        (there,) = (way for way in made.learnings if way.learning == "on the device")
        assert [limit.name for limit in there.broken] == broken
