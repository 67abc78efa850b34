"""Two budgets, kept to the byte: what a search returns runs in 64 KiB and trains in 128 KiB, and there is no more."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from torch import nn

import selvedge as sv
from selvedge.make.searching.walled import walled

from .people import digits

RUN, TRAIN = 64 << 10, 128 << 10
WALLS = (
    (TRAIN, RUN, RUN - 1, True), (TRAIN, RUN, RUN, False), (TRAIN, TRAIN, TRAIN - 1, True),
    (TRAIN, TRAIN, TRAIN, False), (TRAIN - 64, TRAIN - 64, TRAIN - 64, False),
)  # fmt: skip  # bytes in all, of which are left, which is touched, and whether that is survived
TOUCH = """
import ctypes, json, os, sys
from selvedge.make.searching.walled import Walls
ends = []
for size, only, at, _ in json.loads(sys.argv[1]):
    child = os.fork()
    if not child:
        walls = Walls(size, 64)
        walls.bytes[:] = 1
        with walls.only(only):
            ctypes.memset(walls.bytes.ctypes.data + at, 2, 1)
        walls.bytes[:] = 3
        os._exit(0)
    ends.append(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
print(json.dumps(ends))
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


def test_a_byte_behind_the_wall_ends_the_process() -> None:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", TOUCH, json.dumps(WALLS)], capture_output=True, text=True, check=True
    )
    assert json.loads(done.stdout) == [0 if lives else -signal.SIGSEGV for *_, lives in WALLS]
