"""Fewer bytes for more work, executed: the numbers stay what they were, and the promise of bytes is kept."""

from __future__ import annotations

import os
from dataclasses import replace
from functools import cache
from typing import Any

import hypothesis.strategies as st
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import HealthCheck, given, settings

import selvedge as sv
from selvedge.planning.check import check
from tests import oracle
from tests.models import RandomModel, random_models

EXAMPLES = int(os.environ.get("SELVEDGE_EXAMPLES", "4"))
PLAIN = sv.Trade(stream=False, recompute=False, masks=False)
PAGED = sv.Device(
    name="with a card", ram="1GiB", flash="1GiB", vector_bytes=32, throughput={"float32": 1e9}, overhead_s=1e-6,
    bandwidth={"ram": 1e9, "storage": 2e8, "storage_write": 1e8}, storage={"size": "1GiB", "endurance": 1000},
    energy={"static_w": 1.0},
)  # fmt: skip


def learnt(plan: sv.Plan, x: Any, y: Any, steps: int = 2) -> dict[str, Any]:
    session = sv.compile(plan)
    losses = [session.step(x, y) for _ in range(steps)]
    return {"losses": losses, "output": session.predict(x), **session.state_dict()}


def assert_same(one: dict[str, Any], other: dict[str, Any], exact: bool) -> None:
    for name, value in one.items():
        a, b = np.asarray(value), np.asarray(other[name])
        if exact:
            np.testing.assert_array_equal(a, b, err_msg=name)
        else:
            np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6, err_msg=name)


def assert_kept(plan: sv.Plan) -> None:
    check(plan.arrangement)
    found = sv.measured(plan)
    assert found.faults == ()
    assert found.arena == plan.arena_bytes
    for name, program in plan.arrangement.programs.items():
        assert found.transient[name] == program.transient_bytes


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(
    random_models(), st.floats(0.0, 1.0), st.booleans(), st.booleans(), st.sampled_from(["time", "energy"]),
    st.sampled_from([1.2, 2.0, 8.0]),
)  # fmt: skip
def test_random_models_learn_the_same_within_any_budget_that_is_kept(
    case: RandomModel, share: float, recompute: bool, page: bool, objective: str, slowdown: float
) -> None:
    def planned(budget: str | None, trade: sv.Trade) -> sv.Plan:
        return sv.plan(case.model, case.x, device=PAGED, budget=budget, optimizer=sv.SGD(lr=0.1), trade=trade)

    whole = planned(None, PLAIN)
    trade = sv.Trade(recompute=recompute, page=page, objective=objective, slowdown=slowdown)
    least = planned(None, sv.Trade(recompute=recompute, page=page, objective=objective, slowdown=slowdown, least=True))
    ram = int(least.arena_bytes + share * (whole.arena_bytes - least.arena_bytes))
    try:
        made = planned(f"ram={ram}B", trade)
    except sv.DoesNotFit:
        made = least
    else:
        assert made.arena_bytes <= ram
    y = case.y
    plain = learnt(whole, case.x, y)
    for plan in (made, least):
        assert_kept(plan)
        assert plan.arena_bytes <= whole.arena_bytes
        assert_same(plain, learnt(plan, case.x, y), exact=False)


@cache
def zoo(spec: str, norms: str, trade: sv.Trade, device: sv.Device = PAGED) -> sv.Plan:
    model, example, loss = oracle.zoo_model(spec)
    return sv.plan(model, example, loss=loss, norms=norms, device=device, optimizer=sv.SGD(lr=0.01), trade=trade)


@pytest.mark.parametrize(
    ("spec", "norms", "share"), [("resnet8", "folded", 0.70), ("resnet8", "frozen", 0.70), ("ds_cnn", "frozen", 0.5)]
)
def test_the_zoo_needs_far_fewer_bytes_for_little_more_work(spec: str, norms: str, share: float) -> None:
    whole, least = zoo(spec, norms, PLAIN), zoo(spec, norms, sv.Trade(slowdown=1.35, least=True))
    assert least.transient_bytes <= share * whole.transient_bytes
    step, before = least.arrangement.programs["step"], whole.arrangement.programs["step"]
    assert step.saved is not None
    assert step.saved.again > 0
    assert step.seconds is not None
    assert before.seconds is not None
    assert step.seconds <= 1.35 * before.seconds
    assert_kept(least)


def test_what_is_made_again_and_paged_is_the_same_bit_for_bit() -> None:
    _, example, _ = oracle.zoo_model("resnet8")
    x, y = example.numpy(), np.array([3], np.int32)
    plain = learnt(zoo("resnet8", "folded", PLAIN), x, y)
    for trade in (
        sv.Trade(stream=False, masks=False, channels=False, least=True, slowdown=1.5),
        sv.Trade(stream=False, masks=False, recompute=False, page=True, least=True, slowdown=8.0),
        sv.Trade(stream=False, masks=False, channels=False, page=True, least=True, slowdown=4.0, objective="energy"),
    ):
        plan = zoo("resnet8", "folded", trade)
        assert plan.transient_bytes < 0.7 * zoo("resnet8", "folded", PLAIN).transient_bytes
        assert_kept(plan)
        assert_same(plain, learnt(plan, x, y), exact=True)


def test_a_plan_that_pages_says_its_traffic_and_its_wear() -> None:
    plan = zoo("resnet8", "folded", sv.Trade(recompute=False, page=True, least=True, slowdown=50.0))
    saved = plan.arrangement.programs["step"].saved
    assert saved is not None
    assert saved.paged_in >= saved.paged_out > 0
    assert plan.arrangement.memory.storage >= saved.paged_out
    assert plan.device.storage is not None
    assert plan.device.storage.runs(saved.paged_out) == 2**30 * 1000 / saved.paged_out
    said = {c.what: c.why for c in plan.why}
    assert f"{saved.paged_out:,} B" in said["paging"]
    assert plan.to_dict()["programs"]["step"]["paged_out_bytes"] == saved.paged_out


class _Averaged(torch.nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.mean((2, 3))


def test_the_least_is_no_more_than_the_plain_plan_where_masks_do_not_pay() -> None:
    """Thirty-six numbers after a ReLU: their bits lie beside them when the step is at its peak."""
    body = (torch.nn.Conv2d(1, 2, 1), torch.nn.BatchNorm2d(2), torch.nn.ReLU(), _Averaged())
    net = torch.nn.Sequential(*body, torch.nn.Linear(2, 4), torch.nn.Linear(4, 3)).eval()

    def arena(trade: sv.Trade) -> int:
        return sv.plan(net, torch.zeros(2, 1, 3, 3), device=PAGED, trade=trade).arena_bytes

    assert arena(sv.Trade(recompute=False, least=True)) <= arena(PLAIN)


@pytest.mark.parametrize(("batch", "channels", "side"), [(4, 2, 3), (1, 1, 6), (2, 1, 5)])
def test_a_budget_below_the_plain_plan_is_kept_without_masks_where_they_do_not_pay(
    batch: int, channels: int, side: int
) -> None:
    body = (torch.nn.Conv2d(1, channels, 1), torch.nn.BatchNorm2d(channels), torch.nn.ReLU(), _Averaged())
    net = torch.nn.Sequential(*body, torch.nn.Linear(channels, 4), torch.nn.Linear(4, 3)).eval()
    x = torch.zeros(batch, 1, side, side)
    least = sv.plan(net, x, device=PAGED, trade=sv.Trade(least=True)).arena_bytes
    assert least < sv.plan(net, x, device=PAGED, trade=PLAIN).arena_bytes
    assert sv.plan(net, x, device=PAGED, budget=f"ram={least}B").arena_bytes <= least


def test_a_budget_may_ask_for_what_the_least_reaches() -> None:
    """The norm's kernel leaves out what nothing reads when it runs again, so that the program is smaller than its
    sequence of kernels."""
    torch.manual_seed(0)
    layers: list[torch.nn.Module] = []
    for inputs, outputs in ((3, 4), (4, 4), (4, 10)):
        norm = torch.nn.InstanceNorm2d(outputs, affine=True)
        layers += [torch.nn.Conv2d(inputs, outputs, 3, 1, 1, bias=False), norm, torch.nn.Hardswish()]
    model = torch.nn.Sequential(*layers, torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(), torch.nn.Linear(10, 5))
    x, trade = torch.randn(1, 3, 16, 16), sv.Trade(slowdown=6, channels=False)
    least = sv.plan(model, x, device=oracle.WIDE, trade=replace(trade, least=True))
    again = sv.plan(model, x, device=oracle.WIDE, trade=trade, budget=f"ram={least.arena_bytes}B")
    assert again.arena_bytes <= least.arena_bytes


@pytest.mark.parametrize("share", [0.6, 0.75, 0.9])
def test_a_budget_may_ask_for_the_time_that_its_plan_takes(share: float) -> None:
    """The search passes through sequences that take longer than the one that it ends in."""
    torch.manual_seed(0)
    layers: list[torch.nn.Module] = []
    for inputs, outputs in ((3, 8), (8, 8), (8, 12)):
        layers += [torch.nn.Conv2d(inputs, outputs, 3, 1, 1), torch.nn.BatchNorm2d(outputs), torch.nn.Hardswish()]
    model = torch.nn.Sequential(*layers, torch.nn.Flatten(), torch.nn.Linear(12 * 64, 5)).eval()
    x = torch.randn(1, 3, 8, 8)
    plain = sv.plan(model, x, device=PAGED, trade=PLAIN)
    ram = int(plain.persistent_bytes + share * plain.transient_bytes)
    made = sv.plan(model, x, device=PAGED, budget=f"ram={ram}B")
    seconds = made.cost.seconds
    assert seconds is not None
    timely = sv.plan(model, x, device=PAGED, budget=sv.Budget(ram, latency_s=seconds))
    assert timely.arena_bytes <= ram
    assert timely.cost.seconds is not None
    assert timely.cost.seconds <= seconds


def test_without_storage_nothing_is_paged() -> None:
    with pytest.raises(sv.InvalidInput, match=r"trade page is on any, which has no storage: give its profile"):
        zoo("resnet8", "folded", sv.Trade(page=True), sv.Device(name="any", ram="1GiB", flash="1GiB"))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("slowdown", 0.5),
        ("slowdown", "fast"),
        ("objective", "money"),
        ("recompute", 1),
        ("page", None),
        ("least", "no"),
    ],
)
def test_a_bad_trade_is_refused(field: str, value: object) -> None:
    with pytest.raises(sv.InvalidInput, match=f"trade {field} is "):
        sv.Trade(**{field: value})  # type: ignore[arg-type]


def test_the_loss_of_pytorch_comes_out() -> None:
    model, example, _ = oracle.zoo_model("resnet8")
    plan = zoo("resnet8", "frozen", sv.Trade(slowdown=1.35, least=True))
    loss = sv.compile(plan).step(example.numpy(), np.array([3], np.int32))
    model.eval()
    with torch.no_grad():
        assert abs(loss - F.cross_entropy(model(example), torch.tensor([3])).item()) < 1e-4


def test_a_limit_of_energy_is_kept_where_the_least_time_would_break_it() -> None:
    """Paging takes less time than making values again, and far more energy."""
    torch.manual_seed(0)
    layers = [m for _ in range(6) for m in (torch.nn.Conv2d(4, 4, 3, padding=1), torch.nn.Tanh())]
    net = torch.nn.Sequential(*layers, torch.nn.Flatten(), torch.nn.Linear(4 * 144, 2)).eval()
    device = sv.Device(
        name="hungry card", ram="1GiB", flash="1GiB", throughput={"float32": 1e8}, storage={"size": "1GiB"},
        bandwidth={"ram": 1e9, "storage": 2e8, "storage_write": 1e8},
        energy={
            "static_w": 1e-3, "mac_j": {"float32": 1e-11},
            "byte_j": {"ram": 1e-12, "storage": 1e-6, "storage_write": 1e-6},
        },
    )  # fmt: skip

    def made(budget: str, objective: str = "time") -> sv.Plan:
        trade = sv.Trade(stream=False, masks=False, channels=False, page=True, slowdown=4, objective=objective)
        return sv.plan(net, torch.zeros(1, 4, 12, 12), device=device, budget=budget, trade=trade)

    ram = f"ram={int(0.8 * sv.plan(net, torch.zeros(1, 4, 12, 12), device=device, trade=PLAIN).arena_bytes)}B"
    quick, frugal = made(ram).to_dict(), made(ram, "energy").to_dict()
    least, most = frugal["joules_per_step"], quick["joules_per_step"]
    assert most > 2 * least
    assert quick["seconds_per_step"] < frugal["seconds_per_step"]
    for limit in (f"energy={(least + most) / 2}J", f"energy-day={(least + most) / 2}J"):
        assert made(f"{ram},{limit}").to_dict()["joules_per_step"] == least
    assert made(f"{ram},energy={2 * most}J").to_dict()["joules_per_step"] == most
    with pytest.raises(sv.InvalidInput, match="budget energy is"):
        made(f"{ram},energy={least / 2}J")
