"""The planner streams where that makes the whole arena smaller, and nowhere else."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import nn

import selvedge as sv
from selvedge.planning.check import check
from tests import oracle


class Inverted(nn.Module):
    """The block of MobileNet V2, arXiv:1801.04381, figure 4."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        wide = 6 * channels
        self.block = nn.Sequential(
            nn.Conv2d(channels, wide, 1, bias=False), nn.BatchNorm2d(wide), nn.ReLU6(),
            nn.Conv2d(wide, wide, 3, padding=1, groups=wide, bias=False), nn.BatchNorm2d(wide), nn.ReLU6(),
            nn.Conv2d(wide, channels, 1, bias=False), nn.BatchNorm2d(channels),
        )  # fmt: skip

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.block(x)


def planned(streaming: bool, update: str) -> sv.Plan:
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(3, 8, 3, 2, 1, bias=False), nn.BatchNorm2d(8), nn.ReLU6(), Inverted(8), Inverted(8),
        nn.Conv2d(8, 16, 5, 2, 2), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 10),
    )  # fmt: skip
    example, loss = torch.zeros(1, 3, 32, 32), "cross_entropy"
    trade = sv.Trade(stream=streaming, recompute=False, least=True)
    return sv.plan(model, example, loss=loss, device=oracle.WIDE, optimizer=sv.SGD(lr=0.1), update=update, trade=trade)


def test_a_sparse_step_streams_its_frozen_part_and_learns_the_same() -> None:
    found: dict[bool, Any] = {}
    for streaming in (False, True):
        plan = planned(streaming, "last:1")
        check(plan.arrangement)
        session = sv.compile(plan)
        x = np.asarray(torch.randn(1, 3, 32, 32, generator=torch.Generator().manual_seed(0)))
        loss = session.step(x, np.array([3]))
        found[streaming] = plan, loss, session.predict(x).tobytes(), session.state_dict()
    (whole, *same, state), (streamed, *made, learnt) = found[False], found[True]
    assert made == same
    assert all(np.array_equal(state[n], learnt[n]) for n in state)
    assert streamed.transient_bytes < 0.4 * whole.transient_bytes
    measured = sv.measured(streamed)
    assert measured.faults == ()
    assert measured.arena == streamed.arena_bytes
    assert any(c.what.startswith("streaming") for c in streamed.why)
    assert not any(c.what.startswith("streaming") for c in whole.why)
    step = streamed.arrangement.programs["step"]
    assert step.transient_bytes <= 1.02 * step.bound_bytes
    assert step.macs == whole.arrangement.programs["step"].macs
    assert step.bytes_moved > whole.arrangement.programs["step"].bytes_moved


def test_what_does_not_lower_the_arena_is_left_alone() -> None:
    """A full step keeps every activation for its backward: predict could be smaller, and would win nothing."""
    plan = planned(True, "full")
    assert not any(k.inner for p in plan.arrangement.programs.values() for k in p.kernels.values())
