"""What a user may well give: one layer, a recurrent net, few samples of a person, a rate that is too high."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import selvedge as sv
from selvedge.make.searching.compressed import marked, ships_best
from selvedge.make.searching.material import material
from selvedge.make.searching.score import synflow
from selvedge.make.searching.surest import surest

from .people import DEVICE
from .test_same import BRIEFLY, flat, mlp, seeded, space


def searched(model: Any, **given: Any) -> sv.Compressed:
    x, y, who = flat()
    return sv.compress(model, (x, y), **{"who": who, "device": DEVICE, **BRIEFLY, **given})


@pytest.fixture(scope="module")
def found() -> sv.Compressed:
    """Learning in 20 KiB what runs in 1,000 B: the whole of it is too much to run."""
    return searched(
        sv.Space(mlp, width=(8, 12, 16, 20)), epochs=4, finalists=2, budget="run=1000B,train=20KiB", seed=9, learn=20
    )


def test_of_one_layer_nothing_is_left_for_int8():
    one = sv.Space(lambda: nn.Linear(64, 4))
    assert {c.bits for c in searched(one, bits=("float", "int8")).candidates} == {"float"}
    with pytest.raises(
        sv.InvalidInput, match=r"bits is int8: 1 layers can be it, and the last 1 stay float: ask for float"
    ):
        searched(one, bits=("int8",))


class Recurrent(nn.Module):
    """[N, 64] as 8 steps of 8; its first state is float32."""

    def __init__(self) -> None:
        super().__init__()
        self.cell, self.last = nn.GRU(8, 4, batch_first=True), nn.Linear(4, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        steps = x.reshape(-1, 8, 8)
        return self.last(self.cell(steps, torch.zeros(1, steps.shape[0], 4))[0][:, -1])


def test_a_network_that_does_not_run_in_float64_has_no_score():
    assert synflow(Recurrent(), torch.randn(4, 64)) == -math.inf
    assert searched(sv.Space(Recurrent)).best.bits == "float"


def frozen() -> nn.Module:
    return mlp().requires_grad_(False)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"model": sv.Space(frozen)}, "network is without parameters that learn"),
        ({"model": sv.Space(lambda: nn.Linear(64, 3))}, "network is of 3 classes: the data has 4: make its last"),
        ({"teacher": nn.Linear(64, 7), "distil": True}, "teacher is of 7 classes: the network to be taught has 4"),
        ({"who": np.zeros(len(flat()[1]), int)}, "who is of one person: give samples of two people or more"),
        ({"batch": 1}, "batch is 1: give a whole number, 2 or more"),
        ({"lr": 1e20}, "lr is 1e+20: the loss of width 8 was not finite in epoch 1: lower it"),
    ],
)
def test_what_cannot_be_searched_is_one_line_before_anything_is_trained(given, says):
    with pytest.raises(sv.InvalidInput) as told:
        searched(**{"model": space(mlp), **given})
    assert says in str(told.value)


class Steep(nn.Module):
    """Of width 1 its loss is not finite while it trains."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.net, self.width = mlp(8), width

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.net(x) * (torch.inf if self.width == 1 and self.training else 1.0)


def test_one_that_diverges_does_not_end_the_search_of_the_others():
    made = searched(sv.Space(Steep, width=(1, 2)))
    assert {c.architecture for c in made.candidates} == {"width 2"}
    assert any("diverged at this lr: width 1" in s.gave for s in made.steps)


def test_who_has_one_sample_of_each_class_trains_and_does_not_judge():
    x, y, who = flat()
    who = np.where(np.arange(len(y)) < 5, 10 + np.arange(len(y)), who)
    for seed in range(8):
        assert all(int(p.name) < 10 for p in material((x, y), who, None, seed).people)
    with pytest.raises(sv.InvalidInput, match="judges is 8: only 6 people have two samples"):
        material((x, y), who, 8, 0)


def test_a_teacher_stays_as_it_was():
    teacher = seeded(0).train()
    searched(space(mlp), teacher=teacher, distil=True)
    assert teacher.training


def test_options_are_counted_before_they_are_combined_and_told_apart():
    with pytest.raises(sv.InvalidInput, match="options is of 1000000000000000000000000 combinations"):
        sv.Space(mlp, **{f"o{i}": range(100) for i in range(12)})
    with pytest.raises(sv.InvalidInput, match="option width is"):
        sv.Space(mlp, width=([8], [4]))
    names = [a.name for a in sv.Space(mlp, width=(1_000_000, 1_000_001, 0.5, 1.0)).architectures(1)]
    assert names == ["width 1e+06", "width 1000001", "width 0.5", "width 1"]


def test_a_cost_that_nobody_knows_is_not_the_least(found):
    one = found.best
    known, unknown = (replace(one, figures=replace(one.figures, seconds=s, joules=s)) for s in (1.0, None))
    assert [c.best for c in marked([known, unknown])] == [True, False]


def test_the_plan_that_is_taken_learns_at_the_rate_that_was_judged(found):
    one = next(c for c in found.candidates if c.rate and c.rate != 0.01)
    assert found.take(one)[1].optimizer.lr == one.rate
    with pytest.raises(sv.InvalidInput, match="it is of another search"):
        found.take(replace(one, architecture="width 99"))


def test_the_network_that_ships_best_at_the_end_is_adapted_beyond_what_runs(found):
    top = ships_best(found.candidates, found.limits)
    more = [c for c in found.candidates if c.figures.run_bytes > 1000]
    assert more
    assert {c.architecture for c in more} == {top.architecture}
    assert all(c.figures.train_bytes <= 20 << 10 and not c.fits for c in more)
    own = [c for c in found.candidates if c.architecture == top.architecture]
    assert found.for_inference_alone is surest(own, found.tests)


def test_for_inference_alone_does_not_ask_what_is_accurate_behind_learning(found):
    """An accuracy that the best shipped one misses behind learning does not make another one of it."""
    top = ships_best(found.candidates, found.limits)
    own = [replace(c, fits=c.fits and c.architecture != top.architecture) for c in found.candidates]
    assert replace(found, candidates=tuple(own)).for_inference_alone.architecture == top.architecture


def test_the_closest_point_is_the_closest_over_all_bits():
    """Of an int8 and a float one that break the same limit the nearer is told, whatever their order."""
    told = []
    for bits in (("float", "int8"), ("int8", "float")):
        with pytest.raises(sv.NothingFits) as error:
            searched(space(mlp), bits=bits, budget="run=100B")
        told.append(error.value.closest)
    assert told[0] == told[1]


def test_the_heads_of_the_table_stand_apart_without_people():
    x, y, _ = flat()
    text = str(sv.compress(space(mlp), (x, y), device=DEVICE, **BRIEFLY))
    assert "  shipped  after 5 more samples  " in text


def test_what_bits_gave_is_told_of_a_candidate_of_the_table():
    """Of equals the one that trains in least, as the best of all is."""
    made = searched(sv.Space(mlp, width=(8,)), learn=0)
    (said,) = (s.gave for s in made.steps if s.name == "float")
    assert said.endswith(f": {made.best.name}")
