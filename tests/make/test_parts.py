"""The first input channels of a weight learn alone: as in PyTorch with the other gradients masked, in fewer bytes."""

from __future__ import annotations

import copy
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import hypothesis.strategies as st
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import HealthCheck, assume, given, settings
from torch import nn

import selvedge as sv
from selvedge.errors import InvalidInput
from selvedge.make import show
from tests import oracle
from tests.models import RandomModel, Reference, disagreements, random_models, reference

EXAMPLES = int(os.environ.get("SELVEDGE_EXAMPLES", "5"))
PARTS = {"0.weight": 1, "2.weight": 2, "4.weight": 4, "8.weight": 2}  # of 3, 8, 16 and 8 input channels
UPDATE = "*.weight[:25%],8.bias"
LABELS = ("0.weight[:1 of 3]", "2.weight[:2 of 8]", "4.weight[:4 of 16]", "8.weight[:2 of 8]", "8.bias")


def network() -> nn.Module:
    """Weights of which a part lies in one piece (1 x 1, linear) and in rows (3 x 3)."""
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 16, 1), nn.ReLU6(),
        nn.Conv2d(16, 8, 3, padding=1, stride=2), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 5),
    )  # fmt: skip


def planned(optimizer: sv.SGD | sv.Adam, update: str = UPDATE, **given: object) -> sv.Plan:
    example = torch.zeros(4, 3, 6, 6)
    return sv.plan(network(), example, update=update, optimizer=optimizer, device=oracle.WIDE, **given)  # type: ignore[arg-type]


Maker = Callable[[Iterable[nn.Parameter]], torch.optim.Optimizer]


@dataclass(frozen=True)
class Case:
    """An optimiser of ours and PyTorch's own."""

    ours: sv.SGD | sv.Adam
    torch: Maker
    accumulate: int = 1


CASES = {
    "sgd": Case(sv.SGD(0.1), lambda p: torch.optim.SGD(p, 0.1)),
    "momentum and decay": Case(
        sv.SGD(0.05, 0.9, weight_decay=0.01), lambda p: torch.optim.SGD(p, 0.05, 0.9, weight_decay=0.01)
    ),
    "adam": Case(sv.Adam(1e-2), lambda p: torch.optim.Adam(p, 1e-2)),
    "adamw": Case(
        sv.Adam(1e-2, weight_decay=0.1, decoupled=True), lambda p: torch.optim.AdamW(p, 1e-2, weight_decay=0.1)
    ),
    "clip_norm": Case(sv.SGD(0.1, 0.9, clip_norm=0.05), lambda p: torch.optim.SGD(p, 0.1, 0.9)),
    "accumulate": Case(sv.SGD(0.1, 0.9), lambda p: torch.optim.SGD(p, 0.1, 0.9), accumulate=2),
}


@pytest.mark.parametrize("name", CASES)
def test_twenty_steps_are_pytorchs_with_the_other_gradients_masked(name: str) -> None:
    case = CASES[name]
    plan = planned(case.ours, accumulate=case.accumulate)
    assert plan.updated == LABELS
    session, model = sv.compile(plan), network()
    parameters = dict(model.named_parameters())
    learning = [parameters[n] for n in (*PARTS, "8.bias")]
    start = {n: p.detach().clone() for n, p in parameters.items()}
    optimizer, generator = case.torch(learning), torch.Generator().manual_seed(1)
    for _ in range(20):
        x = torch.randn(4, 3, 6, 6, generator=generator)
        y = torch.randint(0, 5, (4,), generator=generator)
        session.step(x, y)
        model.zero_grad()
        F.cross_entropy(model(x), y).backward()
        for n, count in PARTS.items():
            parameters[n].grad[:, count:] = 0  # type: ignore[index]
        if case.ours.clip_norm is not None:
            nn.utils.clip_grad_norm_(learning, case.ours.clip_norm)
        optimizer.step()
        with torch.no_grad():
            for n, count in PARTS.items():  # weight decay is of what learns
                parameters[n][:, count:] = start[n][:, count:]
    found = {n: torch.as_tensor(a) for n, a in session.state_dict().items()}
    for n, p in parameters.items():
        np.testing.assert_allclose(found[n], p.detach(), atol=1e-5, rtol=0)
        frozen = found[n][:, PARTS[n] :] if n in PARTS else found[n]
        before = start[n][:, PARTS[n] :] if n in PARTS else start[n]
        assert torch.equal(frozen, before) == (n != "8.bias")  # to the bit
        assert n not in PARTS or not torch.equal(found[n], start[n])


@pytest.mark.parametrize("dtype", ["bfloat16", "int8"])
def test_compact_state_of_a_part_is_small_and_learns(dtype: str) -> None:
    plan = planned(sv.SGD(0.1, 0.9, state_dtype=dtype))
    session, plain = sv.compile(plan), sv.compile(planned(sv.SGD(0.1, 0.9)))
    assert_measured(plan)
    before = {n: torch.as_tensor(a).clone() for n, a in session.state_dict().items()}
    x, y = torch.randn(4, 3, 6, 6, generator=torch.Generator().manual_seed(2)), torch.tensor([0, 1, 2, 3])
    for _ in range(5):
        session.step(x, y)
        plain.step(x, y)
    exact = plain.state_dict()
    for n, array in session.state_dict().items():
        count = PARTS.get(n)
        assert count is None or torch.equal(torch.as_tensor(array)[:, count:], before[n][:, count:])
        moved = float(np.abs(np.asarray(exact[n]) - before[n].numpy()).max())
        np.testing.assert_allclose(array, exact[n], atol=0.05 * moved + 1e-8)


def assert_measured(plan: sv.Plan) -> None:
    found = sv.measured(plan)
    assert found.faults == ()
    assert found.arena == plan.arena_bytes
    assert dict(found.transient) == {n: p.transient_bytes for n, p in plan.arrangement.programs.items()}


def test_state_of_a_part_has_the_parts_shape_and_comes_back(tmp_path: Path) -> None:
    plan = planned(sv.Adam(1e-2))
    session = sv.compile(plan)
    x, y = torch.randn(4, 3, 6, 6, generator=torch.Generator().manual_seed(3)), torch.tensor([0, 1, 2, 3])
    session.step(x, y)
    shapes = {n: a.shape for n, a in session.optimizer_state_dict().items() if n.endswith(".exp_avg")}
    assert shapes == {
        "0.weight.exp_avg": (8, 1, 3, 3), "2.weight.exp_avg": (16, 2, 1, 1), "4.weight.exp_avg": (8, 4, 3, 3),
        "8.weight.exp_avg": (5, 2), "8.bias.exp_avg": (5,),
    }  # fmt: skip
    snapshot, steps = session.snapshot(), session.steps
    after = session.step(x, y)
    learnt = {n: np.asarray(a).copy() for n, a in session.state_dict().items()}
    session.restore(snapshot, steps)
    assert session.step(x, y) == after
    assert all(np.array_equal(learnt[n], a) for n, a in session.state_dict().items())
    other = sv.compile(plan)
    other.load_state_dict(session.state_dict())
    assert all(np.array_equal(learnt[n], a) for n, a in other.state_dict().items())
    sv.emit(plan, "c", tmp_path / "artifact")
    again = sv.load(tmp_path / "artifact")
    assert dict(again.manifest.parts) == {n: (1, count) for n, count in PARTS.items()}
    again.restore(snapshot, steps)
    assert again.step(x.numpy(), y.numpy()) == after


def test_a_plan_says_its_parts() -> None:
    plan = planned(sv.SGD(0.1, 0.9))
    assert "2.weight[:2 of 8]" in str(plan)
    assert (
        "the rest of 0.weight[:1 of 3], 2.weight[:2 of 8], 4.weight[:4 of 16] and 1 more is frozen" in plan.why[0].why
    )
    figures = plan.to_dict()
    assert figures["updated"] == list(LABELS)
    assert figures["learnt_parameters"] == 72 + 32 + 288 + 10 + 5
    assert figures["optimizer_bytes_per_parameter"] == 4.0
    assert "5 arrays learn" in repr(plan)
    assert "2.weight (parameter): 512 B at" in (page := show.page(plan))
    assert "always; 128 B of it learn" in page
    whole = planned(sv.SGD(0.1, 0.9), update="2.weight[:100%]")
    assert whole.updated == ("2.weight",)


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(random_models(), st.sampled_from(["*[:1]", "*[:30%]", "*[:75%]"]), st.sampled_from([0, 16, 64]), st.booleans())
def test_parts_of_random_models_learn_as_in_pytorch_within_their_arena(
    case: RandomModel, update: str, vector_bytes: int, least: bool
) -> None:
    """least: values are made again, streamed and kept as masks down to the fewest bytes."""
    device = sv.Device(name="any", ram="1GiB", flash="1GiB", vector_bytes=vector_bytes)
    trade = sv.Trade(least=True, slowdown=4.0) if least else None
    try:
        plan = sv.plan(
            case.model, case.x, device=device, optimizer=sv.SGD(lr=0.1, momentum=0.9), update=update, trade=trade
        )
    except InvalidInput:
        assume(False)
    faces = {n: part.face(plan.captured.layout(n)) for n, part in plan.programs.parts.items()}
    exact = reference(case.model, case.x, case.y)
    learn = [n for n in plan.programs.updated if n in exact.gradients]

    def cut(name: str, array: np.ndarray) -> np.ndarray:
        axis, count = faces.get(name, (0, array.shape[0]))
        return array.take(range(count), axis)

    expected = Reference({n: cut(n, exact.gradients[n]) for n in learn}, exact.noise)
    assert not disagreements(oracle.native_gradients(sv.compile(plan), case.x, case.y), expected)
    assert_measured(plan)


# -- bytes ----------------------------------------------------------------------------------------------------------


@cache
def mobilenet(update: str) -> sv.Plan:
    model, example, loss = oracle.zoo_model("mobilenet_v2?width=0.35&resolution=96")
    return sv.plan(
        model, example, loss=loss, device=oracle.WIDE, optimizer=sv.SGD(0.1, 0.9), update=update, norms="folded"
    )


WEIGHTS = [f"features.{block}.conv.{layer}.weight" for block in range(2, 17) for layer in ("0.0", "2")]


def test_a_quarter_saves_and_keeps_fewer_bytes_on_mobilenet_v2() -> None:
    whole, part = (mobilenet(",".join(f"{n}{cut}" for n in WEIGHTS)) for cut in ("", "[:25%]"))
    of = [sum(s.bytes for s in p.arrangement.slots.values() if s.kind == "optimizer") for p in (whole, part)]
    assert of[1] < 0.27 * of[0]
    assert part.transient_bytes < 0.75 * whole.transient_bytes
    assert part.arena_bytes < whole.arena_bytes
    assert part.cost.macs < whole.cost.macs
    assert part.cost.bytes_moved < whole.cost.bytes_moved


FREE = sv.Trade(stream=False, recompute=False, masks=False)
PAGED = sv.Device(
    name="with a card", ram="1GiB", flash="1GiB", vector_bytes=32, throughput={"float32": 1e9}, overhead_s=1e-6,
    bandwidth={"ram": 1e9, "storage": 2e8, "storage_write": 1e8}, storage={"size": "1MiB", "endurance": 1000},
)  # fmt: skip


def deep(trade: sv.Trade) -> sv.Plan:
    """Activations that are saved, one after the other."""
    torch.manual_seed(1)
    layers = [m for _ in range(6) for m in (nn.Conv2d(8, 8, 3, padding=1), nn.Tanh())]
    model = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 5))
    example = torch.zeros(2, 8, 8, 8)
    return sv.plan(model, example, update="*.weight[:50%]", optimizer=sv.SGD(0.1, 0.9), device=PAGED, trade=trade)


@pytest.mark.parametrize(
    "trade",
    [
        sv.Trade(least=True, slowdown=3.0),
        sv.Trade(stream=False, masks=False, least=True, slowdown=3.0),
        sv.Trade(stream=False, masks=False, recompute=False, page=True, least=True, slowdown=50.0),
    ],
    ids=["all", "again", "paged"],
)
def test_what_is_given_for_bytes_changes_no_bit(trade: sv.Trade) -> None:
    plain, small = deep(FREE), deep(trade)
    assert small.arena_bytes < plain.arena_bytes
    assert_measured(small)
    sessions = [sv.compile(p) for p in (plain, small)]
    generator = torch.Generator().manual_seed(5)
    for _ in range(3):
        x, y = torch.randn(2, 8, 8, 8, generator=generator), torch.randint(0, 5, (2,), generator=generator)
        assert sessions[0].step(x, y) == sessions[1].step(x, y)
    first, second = (s.state_dict() for s in sessions)
    assert all(np.array_equal(first[n], second[n]) for n in first)


def test_a_model_is_not_changed_by_planning_a_part() -> None:
    model = network()
    before = copy.deepcopy(model.state_dict())
    sv.plan(model, torch.zeros(4, 3, 6, 6), update=UPDATE, device=oracle.WIDE)
    assert all(torch.equal(before[n], a) for n, a in model.state_dict().items())
