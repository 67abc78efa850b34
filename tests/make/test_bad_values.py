"""Values of the wrong type or size are one line, wherever they are given; numpy's scalars are numbers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import selvedge as sv
from selvedge.zoo import make

DEVICE = sv.Device(name="board", ram="1MiB", flash="1MiB")
NAN = float("nan")


def planned(**given: Any) -> sv.Plan:
    return sv.plan(nn.Linear(6, 3), torch.zeros(2, 6), **{"device": DEVICE, **given})


BAD: list[Callable[[], object]] = [
    lambda: sv.SGD(lr=None), lambda: sv.SGD(lr=True), lambda: sv.SGD(0.1, momentum=None),
    lambda: sv.SGD(0.1, momentum=0.9, dampening=NAN), lambda: sv.SGD(0.1, momentum=0.9, dampening="a"),
    lambda: sv.SGD(0.1, momentum=0.9, nesterov="yes"), lambda: sv.SGD(torch.tensor(0.1)),
    lambda: sv.Adam(0.1, eps=None), lambda: sv.Adam(0.1, betas=(None, 0.9)), lambda: sv.Adam(0.1, decoupled=1),
    lambda: sv.RMSProp(0.1, alpha=None), lambda: sv.RMSProp(0.1, clip_value="x"),
    lambda: sv.CrossEntropy("a"), lambda: sv.CrossEntropy(None), lambda: sv.CrossEntropy(NAN),
    lambda: planned(update=[1]), lambda: planned(update="last:" + "9" * 5000), lambda: planned(batch=True),
    lambda: planned(labels=5), lambda: planned(labels="abc"), lambda: planned(labels=["a"]),
    lambda: planned(labels=[object()] * 3), lambda: planned(labels=list(np.arange(3))), lambda: planned(device=""),
    lambda: sv.Device(ram="1MiB", flash=1, sources=5), lambda: sv.Device(ram=9, flash=1, throughput={5: 1.0, "a": 2.0}),
    lambda: sv.Device(ram=9, flash=1, summary=5), lambda: sv.Device(ram=9, flash=1, vector_bytes=128),
    lambda: sv.Device(ram=9, flash=1, vector_bytes=4), lambda: sv.Device(ram=9, flash=1, vector_bytes="16"),
    lambda: sv.Device.load(5), lambda: sv.Device.load("a\0.toml"), lambda: sv.Device.load("a" * 300 + ".toml"),
    lambda: make("mobilenet_v2?classes=1" + "0" * 400), lambda: make("mobilenet_v2?classes=999999999999"),
    lambda: make("mobilenet_v2?resolution=10000000"), lambda: make("mobilenet_v2?width=nan"),
    lambda: sv.emit(planned(), "c", None), lambda: sv.emit(planned(), ["c"], "x"),
    lambda: sv.compile(planned(), cache=5),
    lambda: sv.Preprocess(NAN), lambda: sv.Preprocess("1"), lambda: sv.Preprocess(()),
    lambda: sv.Preprocess((1.0, "x")),
    lambda: sv.Trade(slowdown=10**400), lambda: sv.Trade(slowdown="2"), lambda: sv.Trade(stream=1),
    lambda: sv.Budget(ram=1, latency_s=10**400), lambda: sv.Budget(ram=10**400),
    lambda: sv.Budget.parse("ram=1B,energy=0J"),
    lambda: sv.steps_per_day("plan", 1.0), lambda: sv.steps_per_day(planned(), 10**400),
    lambda: planned(update="auto", contribution="a\0.toml"),
    lambda: sv.Constant(float("inf")), lambda: sv.Constant("a"), lambda: sv.Constant(True),
]  # fmt: skip


@pytest.mark.parametrize("call", BAD, ids=range(len(BAD)))
def test_one_line(call: Callable[[], object]) -> None:
    with pytest.raises(sv.InvalidInput) as caught:
        call()
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 900


def test_numpys_scalars_are_numbers(tmp_path: Path) -> None:
    optimizer = sv.Adam(np.float32(0.1), betas=(np.float64(0.9), 0.99), eps=np.float32(1e-8))
    schedule = sv.Step(np.float32(0.1), every=2)
    smoothing = sv.CrossEntropy(np.float64(0.1))
    preprocess = sv.Preprocess(np.float32(1 / 255), [np.float32(0.5)] * 6)
    plan = planned(
        optimizer=optimizer, schedule=schedule, loss=smoothing, preprocess=preprocess, labels=["a", "b", "c"]
    )
    session = sv.load(sv.emit(plan, "c", tmp_path / "out"), cache=str(tmp_path / "cache"))
    session.step(np.zeros((2, 6), np.uint8), [1, 2])
    assert sv.Preprocess(1 / 255) == sv.Preprocess((1 / 255,))


def test_a_rate_that_grows_without_bound_is_refused_by_the_step() -> None:
    session = sv.compile(planned(schedule=sv.Step(0.01, 1, 10.0)))
    session.load_optimizer_state_dict({}, steps=400)
    with pytest.raises(sv.InvalidInput, match="lr is not finite"):
        session.step(np.zeros((2, 6), np.float32), [1, 2])
    with pytest.raises(sv.InvalidInput, match="steps"):
        session.load_optimizer_state_dict({}, steps=10**400)


def test_a_wrong_width_on_a_bare_layer_is_the_examples_fault() -> None:
    for model, shape in ((nn.Linear(6, 3), (2, 5)), (nn.Conv2d(3, 4, 3), (2, 5, 8, 8)), (nn.LayerNorm(5), (2, 3))):
        with pytest.raises(sv.InvalidInput, match="example is of shape"):
            sv.plan(model, torch.zeros(shape), device=DEVICE)


class Standardised(nn.Module):
    """Statistics over the batch: of one sample there is no variance."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Linear(16, 16), nn.Linear(16, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        h = self.a(x)
        return self.b((h - h.mean(0)) / (h.var(0) + 1e-3).sqrt())


class Squeezing(Standardised):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.b(self.a(x).squeeze())


@pytest.mark.parametrize("model", [Standardised(), Squeezing()])
def test_a_model_that_needs_its_batch_is_told_what_fits(model: nn.Module) -> None:
    x = torch.zeros(8, 16)
    least = sv.plan(model, x, device=DEVICE, update="last:1").arena_bytes
    with pytest.raises(sv.DoesNotFit) as caught:
        sv.plan(model, x, device=DEVICE, budget=f"ram={least}B")
    assert caught.value.cheapest_change == "update last:1 instead of full"
    sv.plan(model, x, device=DEVICE, budget=f"ram={least}B", update="last:1")


def test_a_plan_says_what_was_asked_and_what_is_kept() -> None:
    found = planned(optimizer=sv.SGD(0.1, momentum=0.9), norms="folded", update="bias").to_dict()
    assert (found["loss"], found["optimizer"]["name"], found["optimizer"]["momentum"]) == ("CrossEntropy", "SGD", 0.9)
    assert (found["batch"], found["norms"], found["learnt_parameters"], found["parameters"]) == (2, "folded", 3, 21)
    assert found["reserved_ram"] == "nothing is kept for stack and runtime: set reserved_ram"
    kept = planned(device=sv.Device(ram="1MiB", flash=0, reserved_ram="4KiB"))
    assert kept.to_dict()["reserved_ram"] == "4 KiB are kept for stack and runtime"
    assert "of flash there is no limit" in str(kept)
    assert "flash without limit" in str(kept.device)
