"""What a plan says of itself: a reason for every choice, pictures in a notebook, a session's losses in few points."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import selvedge as sv
from selvedge import zoo
from selvedge.draw.lives import peak
from selvedge.make.losses import MOST, Losses

BOARD = sv.Device(name="board", ram="1MiB", flash="1MiB", reserved_ram="24KiB")


def planned(spec: str = "ds_cnn", **options: Any) -> sv.Plan:
    model, example, loss = zoo.make(spec, seed=0)
    return sv.plan(model, example, loss=loss, **{"device": BOARD, **options})


def reasons(plan: sv.Plan) -> dict[str, str]:
    return {c.what: c.why for c in plan.why}


def test_every_choice_has_its_reason() -> None:
    plan = planned(update="last:2", norms="folded", optimizer=sv.SGD(lr=0.1, momentum=0.9), batch=3)
    said = reasons(plan)
    assert [w.split()[0] for w in said] == [
        *("update", "norms", "masks", "batch", "SGD", "RAM", "order", "places", "peak"),
    ]
    frozen = [s for s in plan.arrangement.slots.values() if s.kind == "parameter" and s.region == "flash"]
    assert f"the other {len(frozen)} parameters" in said["update last:2"]
    assert f"{len(plan.captured.folds)} batch norms" in said["norms folded"]
    assert "every activation is kept 3 times" in said["batch 3"]
    state = sum(s.bytes for s in plan.arrangement.slots.values() if s.kind == "optimizer")
    assert f"{state:,} B" in said["SGD"]
    assert said["RAM 1000 KiB"] == "board's 1 MiB less 24 KiB for stack and runtime"
    assert said["peak"].startswith("step, kernel")


def test_the_reasons_follow_the_choice() -> None:
    plan = planned(budget="ram=800KiB")
    said = reasons(plan)
    assert said["update full"] == "as asked; every parameter learns, in RAM"
    assert "norms frozen" in said
    assert "without state" in said["SGD"]
    assert said["RAM 800 KiB"] == "as asked, of board's 1 MiB"
    plain = sv.Trade(stream=False, recompute=False)
    tried = reasons(planned(update="auto", budget="ram=300KiB", trade=plain))
    assert "does not fit 300 KiB" in tried["update full"]
    assert "as many last layers as fit" in tried["chosen"]
    assert not any(w.startswith("norms") for w in reasons(sv.plan(nn.Linear(4, 3), torch.zeros(1, 4), device=BOARD)))


def test_order_and_places_say_what_the_bounds_prove() -> None:
    plan = planned()
    step, said = plan.arrangement.programs["step"], reasons(plan)
    assert ("no order needs less (proven)" in said["order"]) == (step.bound_bytes == step.any_order_bytes)
    lost = step.transient_bytes - step.bound_bytes
    assert (f"{lost:,} B are lost" in said["places"]) == (lost > 0)


def test_the_peak_names_its_kernel_and_its_largest_buffers() -> None:
    plan = planned("resnet8", device=sv.Device(name="large", ram="4MiB", flash="4MiB"))
    most, said = peak(plan.arrangement.programs["step"]), reasons(plan)["peak"]
    assert f"kernel {most.position + 1} of {len(plan.arrangement.programs['step'].kernels)}" in said
    assert f"{most.bytes:,} B pass" in said
    for life in most.held[:3]:
        assert f"{life.name} " in said
    assert most.bytes == plan.arrangement.programs["step"].bound_bytes


@pytest.mark.parametrize("spec", ["ds_cnn", "mobilenet_v2?width=0.35&resolution=96"])
def test_the_table_fits_and_gives_every_reason(spec: str) -> None:
    plan = planned(spec, device=sv.Device(name="large", ram="64MiB", flash="64MiB"), optimizer=sv.Adam(lr=1e-3))
    text = str(plan)
    assert max(map(len, text.splitlines())) <= 100
    assert len(text.splitlines()) < 50  # however many arrays learn
    together = re.sub(r"\s+", " ", text)
    for choice in plan.why:
        assert f"{choice.what}: {choice.why}" in together
    assert plan.to_dict()["choices"] == [{"what": c.what, "why": c.why} for c in plan.why]


@pytest.mark.parametrize(("device", "columns"), [("nrf52832", 7), ("bare", 6)])
def test_the_programs_stand_in_columns(device: str, columns: int) -> None:
    """Energy where the device has figures for it, apart from the time and without powers of ten; else no column."""
    bare = sv.Device(name="bare", ram="64KiB", flash="1MiB", throughput={"float32": 1e7}, bandwidth={"ram": 1e8})
    model = torch.nn.Sequential(torch.nn.Linear(5, 24), torch.nn.GELU(), torch.nn.Linear(24, 3))
    made = sv.plan(model, torch.zeros(1, 5), device=bare if device == "bare" else device)
    lines = str(made).splitlines()
    at = next(i for i, line in enumerate(lines) if line.startswith("program"))
    rows = [re.split(r" {2,}", line) for line in lines[at : at + 4]]
    assert [len(row) for row in rows] == [columns] * 4
    assert rows[0][5:] == ["time", "energy"][: columns - 5]
    for row in rows[1:]:
        assert re.fullmatch(r"[\d.]+ [mµn]?s", row[5])
        assert all(re.fullmatch(r"[\d.]+ [mµn]?J \([\d.]+-[\d.]+\)", cell) for cell in row[6:])


def test_a_plan_draws_itself_in_a_notebook() -> None:
    plan = planned()
    shown = plan._repr_html_()
    for words in ("Memory of a step", "Cost of a step", "Programs", f"{plan.budget.ram:,} B"):
        assert words in shown
    assert shown.count('class="buffer') > 50
    assert "<html" not in shown
    assert not re.search(r"(src|href)=", shown)


def test_losses_stay_few_and_evenly_spaced_however_long_one_learns() -> None:
    losses = Losses()
    for i in range(50_000):
        losses.add(float(i))
        assert len(losses.points) <= MOST
    steps = np.array([step for step, _ in losses.points])
    assert len(steps) > MOST / 2
    assert len(set(np.diff(steps))) == 1
    assert steps[0] == 1
    assert steps[-1] > 50_000 - losses.stride
    assert all(loss == step - 1 for step, loss in losses.points)


def test_a_refused_step_leaves_no_loss() -> None:
    torch.manual_seed(0)
    model = nn.Linear(4, 3)
    with torch.no_grad():
        model.weight.fill_(1e38)
    session = sv.compile(sv.plan(model, torch.zeros(1, 4), device=BOARD))
    with pytest.raises(sv.NotFinite):
        session.step(np.full((1, 4), 1e38, np.float32), np.array([0]))
    assert session.losses == ()
    session.step(np.zeros((1, 4), np.float32), np.array([0]))
    assert [step for step, _ in session.losses] == [1]


@pytest.mark.parametrize(
    ("optimizer", "says"),
    [
        (sv.SGD(lr=0.1), "SGD, update last:1"),
        (sv.SGD(lr=0.1, momentum=0.9), "SGD, momentum 0.9, update last:1"),
        (
            sv.SGD(lr=0.1, momentum=0.9, nesterov=True, weight_decay=1e-4, state_dtype="int8"),
            "SGD, momentum 0.9, nesterov, weight_decay 0.0001, state_dtype int8, update last:1",
        ),
        (sv.Adam(lr=1e-3), "Adam, update last:1"),
        (sv.Adam(lr=1e-3, betas=(0.9, 0.99), decoupled=True), "Adam, betas 0.9/0.99, decoupled, update last:1"),
        (sv.RMSProp(lr=1e-3, alpha=0.9, clip_norm=1.0), "RMSProp, alpha 0.9, clip_norm 1, update last:1"),
    ],
)
def test_a_plan_says_how_it_learns(optimizer: Any, says: str) -> None:
    plan = sv.plan(nn.Linear(4, 3), torch.zeros(1, 4), device=BOARD, optimizer=optimizer, update="last:1")
    assert str(plan).splitlines()[0] == f"model on board: {says}"
    assert says in plan._repr_html_()
