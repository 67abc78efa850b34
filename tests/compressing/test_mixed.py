"""Bits under a budget: the choice is the best there is, the costs are measured, and the file says and takes both."""

from __future__ import annotations

import itertools
import json
import os
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import selvedge as sv
from selvedge.compressing.mixed import cheapest

from .nets import chain, images

COUNT = int(os.environ.get("SELVEDGE_EXAMPLES", "10"))
OPTIONS = st.lists(st.tuples(st.integers(1, 50), st.floats(0, 1), st.floats(0, 0.2)), min_size=1, max_size=6)


@settings(max_examples=COUNT, deadline=None)
@given(OPTIONS, st.floats(0.3, 1.1))
def test_the_choice_is_what_trying_everything_finds(layers: list[tuple[int, float, float]], share: float) -> None:
    sizes = {str(i): {4: n, 8: 2 * n} for i, (n, _, _) in enumerate(layers)}
    costs = {str(i): {4: high, 8: low} for i, (_, high, low) in enumerate(layers)}
    budget = int(share * sum(s[8] for s in sizes.values()))
    found = cheapest(sizes, costs, budget)
    fitting = []
    for ways in itertools.product((4, 8), repeat=len(layers)):
        chosen = dict(zip(sizes, ways, strict=True))
        size = sum(sizes[k][b] for k, b in chosen.items())
        if size <= budget:
            fitting.append((sum(costs[k][b] for k, b in chosen.items()), size))
    if not fitting:
        assert found is None
        return
    assert found is not None
    assert sum(sizes[k][b] for k, b in found.items()) <= budget
    assert sum(costs[k][b] for k, b in found.items()) <= min(fitting)[0] + 1e-9


@pytest.fixture(scope="module")
def mixed() -> sv.MixedBits:
    layers = [chain().get_submodule(n) for n in ("conv", "dw", "pw", "fc")]
    weights, others = sum(layer.weight.numel() for layer in layers), sum(8 * len(layer.weight) for layer in layers)
    return sv.mixed_bits(chain(), images(), budget=f"{int(0.75 * weights) + others}B")


def test_it_keeps_the_budget_and_the_bytes_are_those_of_the_result(mixed: sv.MixedBits) -> None:
    assert set(mixed.bits.values()) == {4, 8}
    made = sv.quantise(chain(), images(), bits=mixed.bits, wanted_agreement=0.0)
    assert made.facts.bytes == mixed.bytes <= mixed.budget
    assert all(c.cost[4] > c.cost[8] > 0 for c in mixed.choices)


def test_the_file_is_read_and_edited_by_people(mixed: sv.MixedBits, tmp_path: Path) -> None:
    path = tmp_path / "bits.json"
    mixed.save(path)
    assert sv.MixedBits.load(path) == mixed
    text = path.read_text()
    assert max(map(len, text.splitlines())) < 200
    given = json.loads(text)
    given["layers"][0]["bits"] = 8 if given["layers"][0]["bits"] == 4 else 4
    path.write_text(json.dumps(given))
    assert sv.MixedBits.load(path).bits["conv"] != mixed.bits["conv"]
    for edit, line in (
        ({"bits": 5}, "bits of conv is 5: give one of 4, 8"),
        ({"cost": {"4": "much"}}, "cost of conv is {'4': 'much'}: give a number for 4 and for 8 bits"),
        ({"layer": "dw"}, "bits of dw is there twice: remove one of the two"),
    ):
        bad = json.loads(text)
        bad["layers"][0].update(edit)
        path.write_text(json.dumps(bad))
        with pytest.raises(sv.InvalidInput) as refused:
            sv.MixedBits.load(path)
        assert str(refused.value) == line
    path.write_text("[")
    with pytest.raises(sv.InvalidInput, match="it cannot be read"):
        sv.MixedBits.load(path)


def test_a_budget_below_everything_is_refused_with_what_would_do() -> None:
    with pytest.raises(sv.DoesNotFit) as refused:
        sv.mixed_bits(chain(), images(), budget=20)
    assert refused.value.have == 20
    assert str(refused.value).startswith(f"the model does not fit: needs {refused.value.need:,} B, has 20 B")
    with pytest.raises(sv.InvalidInput, match="labels is of shape"):
        sv.mixed_bits(chain(), images(), budget=100, labels=torch.zeros(3))
