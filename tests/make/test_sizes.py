"""Bounded shapes: planned for the largest input, run for smaller ones; against PyTorch at each."""

from __future__ import annotations

import copy
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.export import Dim

import selvedge as sv


class Lines(nn.Module):
    """A convolution along time with a norm, and the mean over what there is."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm, self.head = nn.Conv1d(3, 6, 3, padding=1), nn.BatchNorm1d(6), nn.Linear(6, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(torch.relu(self.norm(self.conv(x))).mean(2))


class Text(nn.Module):
    """A character model: embedding, GRU, causal attention with positions, a class for every place."""

    def __init__(self, longest: int = 12) -> None:
        super().__init__()
        self.embedding, self.places = nn.Embedding(9, 6), nn.Parameter(torch.randn(longest, 6) / 3)
        self.recurrent, self.mixing = nn.GRU(6, 6, batch_first=True), nn.Linear(6, 18)
        self.head = nn.Linear(6, 9)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        h = self.recurrent(self.embedding(x) + self.places[: x.shape[1]])[0]
        q, k, v = self.mixing(h).chunk(3, -1)
        h = h + F.scaled_dot_product_attention(q, k, v, is_causal=True)
        return self.head(h).transpose(1, 2)


def lines() -> nn.Module:
    torch.manual_seed(3)
    model = Lines().eval()
    model.norm.running_mean.normal_()
    return model


OPTIMIZER = sv.SGD(lr=0.05, momentum=0.9)
SIZES = {0: (1, 3), 2: (5, 8)}


@pytest.fixture(scope="module")
def widened() -> sv.Plan:
    return sv.plan(lines(), torch.zeros(4, 3, 11), optimizer=OPTIMIZER, dynamic=SIZES)


@pytest.fixture(scope="module")
def written(widened: sv.Plan, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return sv.emit(widened, "c", tmp_path_factory.mktemp("sizes") / "artifact")


@settings(max_examples=12, deadline=None, derandomize=True)
@given(shapes=st.lists(st.tuples(st.sampled_from((1, 3, 4)), st.sampled_from((5, 8, 11))), min_size=1, max_size=6),
       seed=st.integers(0, 1000))  # fmt: skip
def test_steps_of_any_size_are_pytorchs(widened: sv.Plan, shapes: list[tuple[int, int]], seed: int) -> None:
    session, model = sv.compile(widened), copy.deepcopy(lines())
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    torch.manual_seed(seed)
    for n, length in shapes:
        x, y = torch.randn(n, 3, length), torch.randint(0, 4, (n,))
        np.testing.assert_allclose(session.predict(x), model(x).detach(), atol=1e-5)
        loss = F.cross_entropy(model(x), y)
        assert session.evaluate(x, y)[0] == pytest.approx(loss.item(), abs=1e-5)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        assert session.step(x, y) == pytest.approx(loss.item(), abs=1e-5)
    assert session.steps == len(shapes)
    for name, array in session.state_dict().items():
        np.testing.assert_allclose(array, model.state_dict()[name], atol=2e-5)


def test_what_runs_is_the_plan_of_that_size_bit_for_bit(widened: sv.Plan) -> None:
    torch.manual_seed(5)
    x, y = torch.randn(3, 3, 8), torch.randint(0, 4, (3,))
    alone = sv.compile(sv.plan(lines(), x, optimizer=OPTIMIZER))
    one = sv.compile(widened)
    for _ in range(3):
        assert one.step(x, y) == alone.step(x, y)
    assert one.persistent() == alone.persistent()


def test_the_arena_is_that_of_the_largest_and_every_program_keeps_to_it(widened: sv.Plan) -> None:
    largest = sv.plan(lines(), torch.zeros(4, 3, 11), optimizer=OPTIMIZER)
    found = sv.measured(widened)
    assert found.faults == ()
    assert found.arena == widened.arena_bytes == largest.arena_bytes
    assert {n: widened.arrangement.programs[n].transient_bytes for n in found.transient} == dict(found.transient)
    assert len(found.transient) == 3 * 9
    assert "8 smaller shapes: (1, 3, 5), " in str(widened).replace("\n  ", " ")
    assert widened.to_dict()["sizes"]["3_8"] == [3, 3, 8]
    named = [line.split()[0] for line in str(widened).splitlines() if line.startswith(("predict", "evaluate", "step "))]
    assert named == ["predict", "evaluate", "step"]


def test_a_text_model_learns_from_lines_as_long_as_they_are() -> None:
    torch.manual_seed(7)
    model = Text()
    session = sv.compile(
        sv.plan(model, torch.zeros(2, 12, dtype=torch.int64), optimizer=sv.SGD(lr=0.1), dynamic={0: (1, 2), 1: (4, 7)})
    )
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for n, length in ((2, 12), (1, 4), (2, 7), (1, 12), (2, 4)):
        x, y = torch.randint(0, 9, (n, length)), torch.randint(0, 9, (n, length))
        loss = F.cross_entropy(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        assert session.step(x, y) == pytest.approx(loss.item(), abs=1e-5)
    for name, array in session.state_dict().items():
        np.testing.assert_allclose(array, model.state_dict()[name].detach(), atol=1e-5)


def test_micro_batches_may_be_smaller() -> None:
    model = lines()
    plan = sv.plan(model, torch.zeros(4, 3, 5), optimizer=sv.SGD(lr=0.1), accumulate=2, dynamic={0: (1, 2)})
    assert set(plan.arrangement.programs) == {
        "predict", "evaluate", "accumulate", "apply", "predict_1", "evaluate_1", "accumulate_1",
    }  # fmt: skip
    session = sv.compile(plan)
    torch.manual_seed(1)
    x, y = torch.randn(2, 3, 5), torch.randint(0, 4, (2,))
    loss = F.cross_entropy(model(x), y)
    gradients = torch.autograd.grad(loss, list(model.parameters()))
    assert session.step(x, y) == pytest.approx(loss.item(), abs=1e-6)
    state = session.state_dict()
    for (name, before), gradient in zip(model.named_parameters(), gradients, strict=True):
        np.testing.assert_allclose(state[name], (before - 0.1 * gradient).detach(), atol=1e-5)


def test_an_exported_program_with_bounds_is_widened() -> None:
    model, n = lines(), Dim("n", min=1, max=3)
    program = torch.export.export(model, (torch.zeros(3, 3, 5),), dynamic_shapes={"x": {0: n}})
    session = sv.compile(sv.plan(program, torch.zeros(3, 3, 5), dynamic={0: n}))
    for size in (1, 2, 3):
        x = torch.randn(size, 3, 5)
        np.testing.assert_allclose(session.predict(x), model(x).detach(), atol=1e-5)


def test_an_artifact_keeps_its_sizes(written: Path) -> None:
    session = sv.load(written)
    x = np.ones((3, 3, 8), np.float32)
    np.testing.assert_allclose(session.predict(x), lines()(torch.from_numpy(x)).detach(), atol=1e-5)
    with pytest.raises(sv.InvalidInput) as refused:
        session.predict(np.ones((2, 3, 8), np.float32))
    assert str(refused.value) == (
        "input x is of shape (2, 3, 8): this plan runs (1, 3, 5), (1, 3, 8), (1, 3, 11), (3, 3, 5), (3, 3, 8), ..., "
        "(4, 3, 11)"
    )
    with pytest.raises(sv.InvalidInput, match=r"input y is of shape \(2,\): the plan was made for \(3,\)"):
        session.step(x, np.zeros(2, np.int64))


@pytest.mark.parametrize("change", ["drop", "rename", "twice", "dtype"])
def test_a_manifest_whose_sizes_make_no_sense_is_refused(written: Path, tmp_path: Path, change: str) -> None:
    folder = Path(shutil.copytree(written, tmp_path / "artifact"))

    data = json.loads((folder / "manifest.json").read_text())
    programs = data["programs"]
    if change == "drop":
        del programs["step_3_8"]
    elif change == "rename":
        programs["step_x"] = programs.pop("step_3_8")
    elif change == "twice":
        programs["predict_3_8"] = programs["predict_3_5"]
    else:
        programs["predict_3_8"]["inputs"]["x"]["dtype"] = "int32"
    (folder / "manifest.json").write_text(json.dumps(data))
    with pytest.raises(sv.InvalidInput, match=r"artifact manifest .*(3_8|step_x)"):
        sv.load(folder)


@pytest.mark.parametrize(
    ("dynamic", "words"),
    [
        ({0: Dim("n")}, 'dynamic axis 0 is n, without a bound: every shape is planned before it runs: give Dim("n"'),
        ({0: Dim("n", min=1, max=9)}, "dynamic axis 0 is 9: the plan is for the example's 4: give a larger example"),
        ({0: (1, 5)}, "dynamic axis 0 is 5: the plan is for the example's 4: give a larger example"),
        ({0: (0,)}, "dynamic axis 0 is 0: give whole numbers >= 1"),
        ({0: "12"}, "dynamic axis 0 is 12: give whole numbers >= 1"),
        ({0: range(1, 1 << 40)}, "dynamic axis 0 is of 1099511627775 sizes: give at most 65"),
        ({3: (1,)}, "dynamic axis is 3: the input (4, 3, 66) has the axes 0..2"),
        ({0: range(1, 5), 2: range(1, 66)}, "dynamic is with 263 smaller shapes: each is a program of its own"),
        (3, "dynamic is of type int: give axis: sizes"),
        ({1: (1, 3)}, "dynamic 1: "),
    ],
)  # fmt: skip
def test_what_cannot_be_is_one_line(dynamic: object, words: str) -> None:
    with pytest.raises(sv.SelvedgeError) as refused:
        sv.plan(lines(), torch.zeros(4, 3, 66), dynamic=dynamic)  # type: ignore[arg-type]
    assert words in str(refused.value)
    assert "\n" not in str(refused.value)


def test_exported_programs_say_what_they_need() -> None:
    x = torch.zeros(3, 3, 5)
    fixed = torch.export.export(lines(), (x,))
    with pytest.raises(sv.InvalidInput, match="exported for fixed shapes: export it with dynamic_shapes"):
        sv.plan(fixed, x, dynamic={0: (1,)})
    open_ = torch.export.export(lines(), (x,), dynamic_shapes={"x": {0: Dim("n", min=1, max=3)}})
    with pytest.raises(sv.InvalidInput, match=r"say which sizes run, as dynamic=\{0: range\(1, 9\)\}"):
        sv.plan(open_, x)


def test_more_code_than_flash_holds_does_not_fit() -> None:
    device = sv.Device(name="small", ram=1 << 20, flash=30 << 10, clock_hz=64e6)
    assert sv.plan(lines(), torch.zeros(4, 3, 5), device=device).arena_bytes
    with pytest.raises(sv.DoesNotFit, match=r"flash .*3 smaller shapes are planned beside the largest: give fewer"):
        sv.plan(lines(), torch.zeros(4, 3, 5), device=device, dynamic={0: range(1, 5)})


def test_a_smaller_batch_leaves_out_what_is_above_it() -> None:
    plan = sv.plan(lines(), torch.zeros(4, 3, 5), batch=2, dynamic={0: range(1, 5)})
    assert json.dumps(plan.to_dict()["sizes"]) == '{"1": [1, 3, 5]}'


def test_smaller_shapes_are_made_to_fit_the_arena_of_the_largest() -> None:
    """Where the budget has made the largest lighter, a smaller one may not take what that leaves."""
    torch.manual_seed(2)
    model = nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 8, 3, padding=1), nn.ReLU(), nn.AvgPool2d(2),
        nn.Flatten(), nn.Linear(288, 3),
    )  # fmt: skip
    x = torch.zeros(2, 1, 12, 12)
    plain = sv.plan(model, x, device="stm32f746")
    least = sv.plan(model, x, device="stm32f746", trade=sv.Trade(least=True))
    budget = f"ram={(plain.arena_bytes + least.arena_bytes) // 2}B"
    largest = sv.plan(model, x, device="stm32f746", budget=budget)
    both = sv.plan(model, x, device="stm32f746", budget=budget, dynamic={0: (1,)})
    assert both.arena_bytes <= largest.arena_bytes < plain.arena_bytes
    assert both.budget == largest.budget
    assert sv.measured(both).arena == both.arena_bytes
