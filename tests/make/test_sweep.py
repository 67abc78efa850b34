"""Every point of a sweep is a plan that can be had; those marked best are just those that no other beats."""

from __future__ import annotations

from dataclasses import replace
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


def _shown(row: tuple[str, ...]) -> tuple[float, ...]:
    """(RAM, what does not learn, time, energy, whether it does not fit) of a row, read as a reader would."""
    scale = {"B": 1.0, "KiB": 2.0**10, "MiB": 2.0**20, "s": 1.0, "ms": 1e-3, "µs": 1e-6, "ns": 1e-9}
    scale |= {"J": 1.0, "mJ": 1e-3, "µJ": 1e-6, "nJ": 1e-9}
    sizes = [float(cell.split()[0]) * scale[cell.split()[1]] for cell in (row[-5], row[-3], row[-2])]
    return sizes[0], -float(row[-4].rstrip("%")), round(sizes[1], 12), round(sizes[2], 15), row[-1] != "*"


@pytest.fixture(scope="module")
def normed() -> sv.Sweep:
    torch.manual_seed(0)
    layers: list[nn.Module] = []
    for _ in range(3):
        layers += [nn.Conv2d(2, 2, 3, padding=1, bias=False), nn.BatchNorm2d(2), nn.Tanh()]
    model = nn.Sequential(*layers, nn.Flatten(), nn.Linear(288, 4)).eval()
    return sv.sweep(model, torch.zeros(1, 2, 12, 12), device=DEVICE, optimizers=[sv.SGD(lr=0.1, momentum=0.9)])


def test_no_row_that_is_shown_beats_another(swept: sv.Sweep, normed: sv.Sweep) -> None:
    """Of one batch and optimiser, by the figures as they are printed."""
    for found in (swept, normed):
        shown = surface.rows(found)[1:]
        for batch, rule in {row[1:3] for row in shown}:
            alike = [_shown(row) for row in shown if row[1:3] == (batch, rule)]
            for i, p in enumerate(alike):
                beats = [q for j, q in enumerate(alike) if j != i and all(a <= b for a, b in zip(q, p, strict=True))]
                assert not beats, (p, beats)
        assert str(found).startswith(f"model on board: {len(shown)} of {len(found.points)} plans are worth having")


def test_figures_that_read_the_same_are_shown_once(swept: sv.Sweep) -> None:
    """The same time to three digits, for more bytes: worth having by the exact figures alone."""
    p = min((p for p in swept.best if p.seconds is not None), key=lambda p: p.arena_bytes)
    assert p.seconds is not None
    larger = replace(p, arena_bytes=p.arena_bytes + 1024, seconds=p.seconds * (1 - 1e-7))
    assert len(surface.rows(replace(swept, points=(p, larger)))) == 2


def test_norms_are_folded_too_where_nothing_is_said_of_them(normed: sv.Sweep) -> None:
    kinds = {(p.update, p.norms) for p in normed.points}
    updates = {"full", "bias", *(f"last:{k}" for k in range(1, 4))}
    assert kinds == {(u, n) for u in updates for n in ("frozen", "folded")}
    whole = {p.norms: p.contribution for p in normed.points if p.update == "full"}
    assert whole["frozen"] == 1
    assert 0.95 < whole["folded"] < 1
    assert {p.norms for p in normed.best} == {"frozen", "folded"}
    assert "norms" in str(normed).splitlines()[3].split()
    assert max(map(len, str(normed).splitlines())) <= 100
    torch.manual_seed(0)
    stated = sv.sweep(
        nn.Sequential(nn.Conv2d(2, 2, 3), nn.BatchNorm2d(2), nn.Flatten(), nn.Linear(200, 4)).eval(),
        EXAMPLE, device=DEVICE, norms="frozen", rooms=(),
    )  # fmt: skip
    assert {p.norms for p in stated.points} == {"frozen"}
    assert "norms" not in str(stated).splitlines()[3].split()


@pytest.fixture(scope="module")
def wide_first() -> nn.Module:
    """Its first activations are the largest, so that it is by rows that it fits a small board."""
    torch.manual_seed(0)
    layers: list[nn.Module] = []
    for before, after, stride in ((1, 8, 1), (8, 12, 2), (12, 16, 2)):
        layers += [nn.Conv2d(before, after, 3, stride, 1, bias=False), nn.BatchNorm2d(after), nn.ReLU()]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 4)).eval()


@pytest.mark.parametrize(
    ("trade", "rooms"), [(sv.Trade(), (0.8, 0.4)), (sv.Trade(recompute=False, channels=False), ())]
)
def test_it_has_what_plan_has(wide_first: nn.Module, trade: sv.Trade, rooms: tuple[float, ...]) -> None:
    """Of every update a plan that fits if and only if ``sv.plan`` finds one, and in no more bytes."""
    options: dict[str, Any] = {"device": sv.Device(name="tight", ram="16KiB", flash="1MiB"), "trade": trade}
    example = torch.zeros(1, 1, 16, 16)
    found = sv.sweep(wide_first, example, norms="frozen", rooms=rooms, **options)
    assert found.complete
    refused = set()
    for update in ("full", "bias", "last:1", "last:2", "last:3"):
        fitting = [p for p in found.points if p.update == update and p.fits]
        try:
            made = sv.plan(wide_first, example, update=update, **options)
        except sv.DoesNotFit:
            refused.add(update)
            assert not fitting, update
            continue
        smallest = min(fitting, key=lambda p: p.arena_bytes)
        assert smallest.arena_bytes <= made.arena_bytes, update
        again = sv.plan(wide_first, example, **{**options, **smallest.apply})
        assert again.arena_bytes == smallest.arena_bytes
    assert "full" in refused
    assert len(refused) < 5


def test_rooms_go_below_the_operands_of_whole_kernels(wide_first: nn.Module) -> None:
    """By rows a convolution needs less than all that it reads and writes: 8 channels of 16x16 take 8 KiB."""
    device = sv.Device(name="roomy", ram="1MiB", flash="1MiB")
    found = sv.sweep(wide_first, torch.zeros(1, 1, 16, 16), device=device, updates=["last:1"], norms="frozen")
    assert found.points[-1].arena_bytes > 8192 > found.points[0].arena_bytes
    arenas = [p.arena_bytes for p in found.points]
    assert len(set(arenas)) == len(arenas)  # no plan twice


def test_optimisers_that_differ_in_an_option_are_told_apart(net: nn.Module) -> None:
    rules = [
        sv.SGD(lr=0.1, momentum=0.9),
        sv.SGD(lr=0.1, momentum=0.9, state_dtype="int8"),
        sv.SGD(lr=0.1, momentum=0.9, clip_norm=1.0),
        sv.Adam(lr=1e-3),
        sv.Adam(lr=1e-3, state_dtype="int8"),
        sv.Adam(lr=1e-2),
        sv.Adam(lr=1e-2),
    ]
    found = sv.sweep(net, EXAMPLE, device="nrf52832", updates=["full", "last:2"], rooms=(), optimizers=rules)
    names = {p.rule: p.optimizer for p in found.points}
    assert list(dict.fromkeys(names[r] for r in rules)) == [
        "SGD, momentum 0.9",
        "SGD, momentum 0.9, state_dtype int8",
        "SGD, momentum 0.9, clip_norm 1",
        "Adam, lr 0.001",
        "Adam, state_dtype int8",
        "Adam, lr 0.01",
    ]
    assert len(found.points) == 2 * len(names)
    assert all(p.best for p in found.points)  # each update has one plan of each optimiser
    for p in found.points:
        made = sv.plan(net, EXAMPLE, device="nrf52832", update=p.update, optimizer=p.rule)
        assert made.arena_bytes == p.arena_bytes
    lines = str(found).splitlines()
    assert max(map(len, lines)) <= 100
    assert lines[2:5] == [
        "SGD (1): SGD, momentum 0.9, state_dtype int8",
        "Adam (1): Adam, state_dtype int8",
        "SGD (2): SGD, momentum 0.9, clip_norm 1",
    ]
    assert len(surface.rows(found)) == 1 + len(found.points)
    assert {row[2] for row in surface.rows(found)[1:]} == {
        "SGD, momentum 0.9", "SGD (1)", "SGD (2)", "Adam, lr 0.001", "Adam (1)", "Adam, lr 0.01",
    }  # fmt: skip
    page = surface.page(found)
    assert all(f"batch 2, {name}" in page for name in names.values())


def test_optimisers_that_read_the_same_are_spelt_out(net: nn.Module) -> None:
    rules = [sv.SGD(lr=0.1, momentum=0.9), sv.SGD(lr=0.1, momentum=0.9 + 1e-9)]
    found = sv.sweep(net, EXAMPLE, device=DEVICE, updates=["last:1"], rooms=(), optimizers=rules)
    assert {p.optimizer for p in found.best} == set(map(repr, rules))
    assert max(map(len, str(found).splitlines())) <= 100
