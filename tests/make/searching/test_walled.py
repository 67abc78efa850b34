"""Two budgets, kept to the byte: what a search returns runs in 64 KiB and trains in 128 KiB, and there is no more."""

from __future__ import annotations

import signal
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

import selvedge as sv
from selvedge.make.searching.walled import walled

from .people import digits

RUN, TRAIN = 64 << 10, 128 << 10
TOUCH = """
import ctypes, sys
from selvedge.make.searching.walled import Walls
size, only, at = (int(a) for a in sys.argv[1:])
walls = Walls(size, 64)
walls.bytes[:] = 1
with walls.only(only):
    ctypes.memset(walls.bytes.ctypes.data + at, 2, 1)
walls.bytes[:] = 3
print("lived")
"""


def net(width: int) -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, width, 3, 1, 1), nn.BatchNorm2d(width), nn.ReLU(), nn.Conv2d(width, 2 * width, 3, 2, 1), nn.ReLU(),
        nn.Conv2d(2 * width, 2 * width, 3, 1, 1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
        nn.Linear(2 * width, 4),
    )  # fmt: skip


@pytest.fixture(scope="module")
def found() -> sv.Compressed:
    x, y, who = digits()
    return sv.compress(
        sv.Space(net, width=(12, 64)), (x, y), who=who, device=sv.Device(name="board", ram="128KiB", flash="1MiB"),
        budget="run=64KiB,train=128KiB", bits=("float",), epochs=6, lr=1e-2, learn=40, keep=2, distil=False,
    )  # fmt: skip


def test_what_is_returned_runs_and_trains_in_both_budgets_as_measured(found: sv.Compressed) -> None:
    best = found.best.figures
    assert best.run_bytes <= RUN
    assert best.train_bytes <= TRAIN
    for candidate in (found.best, max(found.candidates, key=lambda c: c.fits and c.figures.train_bytes)):
        plan, costs = found.take(candidate)[1], candidate.figures
        used = sv.measured(plan)
        assert not used.faults
        assert used.arena == plan.arena_bytes == costs.train_bytes <= TRAIN
        assert plan.persistent_bytes + used.transient["predict"] == costs.run_bytes <= RUN


def test_a_budget_was_a_choice(found: sv.Compressed) -> None:
    """The widest network may predict, and could not learn as a whole."""
    wide = [c for c in found.candidates if c.architecture == "width 64" and c.fits]
    assert wide
    assert all(c.update != "full" for c in wide)
    assert any(c.update == "full" for c in found.candidates if c.fits)


def test_behind_the_walls_it_learns_as_it_does_anywhere(found: sv.Compressed) -> None:
    x, y, _ = digits()
    for candidate in found.candidates:
        if candidate.fits:
            here, there = found.session(candidate), sv.compile(found.take(candidate)[1])
            for i in range(8):
                assert here.step(x[i : i + 1], y[i : i + 1]) == there.step(x[i : i + 1], y[i : i + 1])
            assert np.array_equal(here.predict(x[:1]), there.predict(x[:1]))
            assert here.persistent() == there.persistent()


def test_a_byte_less_is_refused_and_exactly_as_many_are_not(found: sv.Compressed) -> None:
    costs, plan = found.best.figures, found.take()[1]
    assert walled(plan, costs.run_bytes, costs.train_bytes).manifest.arena_bytes == costs.train_bytes
    with pytest.raises(sv.DoesNotFit, match="RAM to run does not fit: needs"):
        walled(plan, costs.run_bytes - 1, TRAIN)
    with pytest.raises(sv.DoesNotFit, match="RAM to train does not fit: needs") as told:
        walled(plan, RUN, costs.train_bytes - 1)
    assert (told.value.need, told.value.have) == (costs.train_bytes, costs.train_bytes - 1)
    for less in (replace(found.limits, run=costs.run_bytes - 1), replace(found.limits, train=costs.train_bytes - 1)):
        with pytest.raises(sv.DoesNotFit):
            replace(found, limits=less).session(found.best)


def test_the_search_refuses_a_byte_less_than_its_smallest() -> None:
    x, y, who = digits()
    smallest = sv.plan(
        net(8).eval(), torch.from_numpy(x[:1]), device=sv.Device(name="board", ram="128KiB", flash="1MiB"),
        update="last:1", norms="folded",
    )  # fmt: skip
    with pytest.raises(sv.NothingFits) as told:
        sv.compress(
            sv.Space(net, width=(8,)), (x, y), who=who, device=smallest.device, bits=("float",),
            budget=sv.Limits(train=smallest.arena_bytes - 1), epochs=3,
        )  # fmt: skip
    assert ("train", smallest.arena_bytes, smallest.arena_bytes - 1) in told.value.closest[0][1]


@pytest.mark.parametrize(
    ("size", "only", "at", "lives"),
    [
        (TRAIN, RUN, RUN - 1, True), (TRAIN, RUN, RUN, False), (TRAIN, TRAIN, TRAIN - 1, True),
        (TRAIN, TRAIN, TRAIN, False), (TRAIN - 64, TRAIN - 64, TRAIN - 64, False),
    ],
)  # fmt: skip
def test_a_byte_behind_the_wall_ends_the_process(size: int, only: int, at: int, lives: bool) -> None:
    done = subprocess.run(
        [sys.executable, "-c", TOUCH, str(size), str(only), str(at)], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == ((0, "lived\n") if lives else (-signal.SIGSEGV, "")), done.stderr
