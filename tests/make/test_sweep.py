"""Every point of a sweep is a plan that can be had; those marked best are just those that no other beats."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import selvedge as sv
from selvedge.make import surface
from selvedge.make.sweep import Point

RATES: dict[str, Any] = {"throughput": {"float32": 1e8}, "bandwidth": {"ram": 1e8}, "energy": {"static_w": 0.01}}
DEVICE = sv.Device(name="board", ram="40KiB", flash="1MiB", **RATES)
EXAMPLE = torch.zeros(2, 2, 12, 12)
OPTIMIZERS = [sv.SGD(lr=0.1), sv.Adam(lr=1e-3)]


@pytest.fixture(scope="module")
def net() -> nn.Module:
    torch.manual_seed(0)
    layers = [m for _ in range(4) for m in (nn.Conv2d(2, 2, 3, padding=1), nn.Tanh())]
    return nn.Sequential(nn.Conv2d(2, 2, 3, padding=1), *layers, nn.Flatten(), nn.Linear(288, 4)).eval()


@pytest.fixture(scope="module")
def swept(net: nn.Module) -> sv.Sweep:
    return sv.sweep(net, EXAMPLE, device=DEVICE, batches=[1, 4], optimizers=OPTIMIZERS)


def test_every_point_is_a_plan(net: nn.Module, swept: sv.Sweep) -> None:
    wide = sv.Device(name="wide", ram="1MiB", flash="1MiB", **RATES)
    assert swept.complete
    assert any(p.again for p in swept.points)
    assert {p.fits for p in swept.points} == {True, False}
    for p in swept.points[::4]:
        made = sv.plan(net, EXAMPLE, device=DEVICE if p.fits else wide, **p.apply)
        figures = made.to_dict()
        assert (made.arena_bytes, figures["batch"], made.update) == (p.arena_bytes, p.batch, p.update)
        assert (figures["seconds_per_step"], figures["joules_per_step"]) == (p.seconds, p.joules)
        assert figures["learnt_parameters"] == p.learns_parameters
        assert p.contribution == pytest.approx(p.learns_parameters / sum(q.numel() for q in net.parameters()))
        assert p.fits == (p.arena_bytes <= 40 << 10)


def test_every_update_batch_and_optimiser_is_there(swept: sv.Sweep) -> None:
    plain = {(p.update, p.batch, p.optimizer) for p in swept.points if not p.again}
    updates = {"full", "bias", *(f"last:{k}" for k in range(1, 6))}
    assert plain == {(u, b, o) for u in updates for b in (1, 4) for o in ("SGD", "Adam")}


def test_the_surface_is_what_nothing_beats(swept: sv.Sweep) -> None:
    """Against all pairs, in numpy."""
    for batch, rule in {(p.batch, p.optimizer) for p in swept.points}:
        alike = [p for p in swept.points if (p.batch, p.optimizer) == (batch, rule)]
        costs = np.array([[p.arena_bytes, p.seconds, p.joules, -p.contribution] for p in alike])
        no_worse = (costs[:, None] <= costs[None] * (1 + 1e-9 * np.sign(costs[None]))).all(2)
        better = (costs[:, None] < costs[None] * (1 - 1e-9 * np.sign(costs[None]))).any(2)
        beaten = (no_worse & better).any(0)
        for i, p in enumerate(alike):
            if p.best:
                assert not beaten[i], p
            else:  # beaten, or the same as one that is best
                assert beaten[i] or any(no_worse[j, i] and q.best for j, q in enumerate(alike) if j != i), p


def test_the_table_fits_and_says_what_is_had(swept: sv.Sweep) -> None:
    shown = str(swept).splitlines()
    assert max(map(len, shown)) <= 100
    assert len(shown) - 4 == len(surface.rows(swept)) - 1 <= len(swept.best)
    data = swept.to_dict()
    assert len(data["points"]) == len(swept.points)
    assert sum(p["best"] for p in data["points"]) == len(swept.best)


def test_time_without_figures_is_not_shown(net: nn.Module) -> None:
    bare = sv.Device(name="bare", ram="1MiB", flash="1MiB")
    found = sv.sweep(net, EXAMPLE, device=bare, updates=["full", "last:2"], rooms=())
    assert all(p.seconds is p.joules is None for p in found.points)
    assert len(found.best) == 2
    assert surface.page(found).count("<figure") == 1


def test_it_stops_when_it_is_told_and_in_time(net: nn.Module) -> None:
    told: list[tuple[int, int, str]] = []
    found = sv.sweep(net, EXAMPLE, device=DEVICE, tell=lambda *at: told.append(at), stop=lambda: len(told) == 3)
    assert len(told) == 3
    assert not found.complete
    assert 1 <= len(found.points) <= 3
    assert told[0][2] == "update full, batch 2"
    assert "finer sweep" in str(found)
    short = sv.sweep(net, EXAMPLE, device=DEVICE, seconds=1e-9)
    assert [p.update for p in short.points] == ["full"]
    assert not short.complete


def test_a_measured_contribution_takes_the_place_of_numbers(net: nn.Module) -> None:
    scores = {name: float(name == "0.weight") for name, _ in net.named_parameters()}
    found = sv.sweep(net, EXAMPLE, device=DEVICE, contribution=scores, updates=["full", "last:2", "0.*"], rooms=())
    assert {p.update: p.contribution for p in found.points} == {"full": 1.0, "last:2": 0.0, "0.*": 1.0}
    assert "measured contribution" in str(found)

    def updates(points: tuple[Point, ...]) -> set[str]:
        return {p.update for p in points}

    assert "full" not in updates(found.best)  # "0.*" contributes as much for less


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"updates": "full"}, "updates"),
        ({"updates": []}, "updates"),
        ({"updates": 3}, "updates"),
        ({"batches": 8}, "batches"),
        ({"batches": "8"}, "batches"),
        ({"batches": [True]}, "batches"),
        ({"batches": [4, 5], "accumulate": 2}, "batches"),
        ({"optimizers": sv.SGD(lr=0.1)}, "optimizers"),
        ({"optimizers": ["sgd"]}, "optimizers"),
        ({"rooms": None}, "rooms"),
        ({"rooms": 0.5}, "rooms"),
        ({"contribution": [1.0]}, "contribution"),
        ({"seconds": "1"}, "seconds"),
        ({"seconds": float("nan")}, "seconds"),
        ({"tell": 1}, "tell"),
        ({"stop": None}, "stop"),
        ({"updates": ["last:9"]}, "update"),
        ({"batches": [0]}, "batches"),
        ({"rooms": [1.5]}, "rooms"),
        ({"contribution": {"nothing": 1.0}}, "contribution"),
        ({"contribution": {"0.weight": -1.0}}, "contribution 0.weight"),
        ({"contribution": {"0.weight": 0.0}}, "contribution"),
        ({"device": "nothing"}, "device"),
    ],
)
def test_what_cannot_be_swept_is_refused(net: nn.Module, options: dict[str, Any], field: str) -> None:
    with pytest.raises(sv.InvalidInput) as error:
        sv.sweep(net, EXAMPLE, **{"device": DEVICE, **options})
    assert error.value.field == field
