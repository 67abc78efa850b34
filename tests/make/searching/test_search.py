"""The search as a whole, on real digits: it keeps its budget, comes to the same end, and can be killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import selvedge as sv
from selvedge.make.searching.candidate import INT8
from selvedge.make.searching.learning import accuracy
from selvedge.make.searching.material import material
from selvedge.make.searching.surest import surest
from selvedge.make.table import engineering

from .people import DEVICE, SETTINGS, digits, net, space

RUN = """
import json, sys
import selvedge as sv
from tests.make.searching.people import SETTINGS, digits, space
x, y, who = digits()
found = sv.compress(space(), (x, y), who=who, folder=sys.argv[1], **SETTINGS)
print(json.dumps([c.to_dict() for c in found.candidates]))
"""


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> sv.Compressed:
    x, y, who = digits()
    return sv.compress(space(), (x, y), who=who, folder=tmp_path_factory.mktemp("search") / "work", **SETTINGS)


def test_what_fits_keeps_the_budget_on_painted_memory(found):
    best = found.best
    assert best.figures.run_bytes <= 12 << 10
    assert best.figures.train_bytes <= 24 << 10
    module, plan = found.take()
    used = sv.measured(plan)
    assert not used.faults
    assert used.arena == plan.arena_bytes == best.figures.train_bytes
    assert plan.persistent_bytes + used.transient["predict"] == best.figures.run_bytes
    assert isinstance(module, nn.Module)


def test_what_is_taken_is_what_was_judged(found):
    """Both bits: the accuracy as shipped is that of the compiled code of what ``take`` gives."""
    x, y, who = digits()
    people = material((x, y), who, None, SETTINGS["seed"])
    for bits in ("float", INT8):
        one = next(c for c in found.candidates if c.bits == bits)
        _, plan = found.take(one)
        assert accuracy(sv.compile(plan), people.test) == pytest.approx(one.shipped)


def test_learning_helps_people_whom_nothing_has_met(found):
    assert found.people
    assert found.best.learnt > found.best.shipped > found.dummy
    assert found.best.rate > 0


def test_the_pareto_set_is_what_nothing_beats(found):
    fitting = [c for c in found.candidates if c.fits]

    def worth(c):
        f = c.figures
        return np.array([c.learnt, -c.brier, c.shipped, -f.run_bytes, -f.train_bytes, -f.flash_bytes])

    for c in fitting:
        beaten = any((worth(o) >= worth(c)).all() and (worth(o) > worth(c)).any() for o in fitting)
        assert c.best is not beaten, c.name
    assert found.best in found.pareto
    assert not any(c.best for c in found.candidates if not c.fits)


def test_for_inference_alone_is_the_most_accurate_as_shipped(found):
    top = max(c.shipped for c in found.candidates if c.fits)
    alone = found.for_inference_alone
    assert any(c.architecture == alone.architecture and c.shipped == top for c in found.candidates)
    assert found.best is surest([c for c in found.candidates if c.fits], found.tests)


def test_what_it_says_names_budget_candidates_and_steps(found):
    text, page = str(found), found.page()
    assert "run 12 KiB, train 24 KiB" in text
    assert all(step in text for step in ("plan", "first", "finalists", "taught"))
    assert all(c.name.replace("&", "&amp;") in page for c in found.candidates)
    json.dumps(found.to_dict(), allow_nan=False)


def test_the_pareto_set_is_timed_on_this_machine_beside_what_is_planned(found):
    assert set(found.here) == {c.name for c in found.pareto}
    for took in found.here.values():
        assert 0 < took.low <= took.median <= took.high < 1
    text, told = str(found), json.loads(json.dumps(found.to_dict()))["here"]
    for c in found.pareto:
        (line,) = (line for line in text.splitlines() if line.endswith(f"  {c.name}"))
        here = engineering(found.here[c.name].median, "s")
        assert here in line
        assert here in found.page()
        assert told[c.name]["median"] == found.here[c.name].median


def test_killed_at_any_moment_it_goes_on_to_the_same_result(found, tmp_path):
    """By SIGKILL, three times, each behind some more pieces; and a piece that is damaged is made again."""
    folder = tmp_path / "work"
    for pieces in (3, 12, 18):
        with subprocess.Popen(
            [sys.executable, "-c", RUN, str(folder)], stdout=subprocess.PIPE, env=_environment()
        ) as run:
            until = time.monotonic() + 120
            while run.poll() is None and len(list(folder.glob("*.json"))) <= pieces:
                assert time.monotonic() < until
                time.sleep(0.02)
            run.send_signal(signal.SIGKILL)
            run.wait()
    damaged = max(folder.glob("*.npz"))
    damaged.write_bytes(damaged.read_bytes()[:100])
    done = subprocess.run(
        [sys.executable, "-c", RUN, str(folder)], check=True, capture_output=True, text=True, env=_environment()
    )
    assert json.loads(done.stdout) == json.loads(json.dumps([c.to_dict() for c in found.candidates]))


def _environment() -> dict[str, str]:
    root = Path(__file__).parents[3]
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(root / "src"), str(root)])}


def test_a_folder_of_another_search_is_refused_by_what_differs(found, tmp_path):
    x, y, who = digits()
    (tmp_path / "letter.txt").write_text("mine")
    with pytest.raises(sv.InvalidInput, match="it holds other things"):
        sv.compress(space(), (x, y), who=who, folder=tmp_path, **SETTINGS)
    folder = tmp_path / "work"
    folder.mkdir()
    (folder / "search.json").write_text('{"seed": 4}')
    with pytest.raises(sv.InvalidInput, match="of a search with another"):
        sv.compress(space(), (x, y), who=who, folder=folder, **SETTINGS)


def test_a_budget_that_nothing_keeps_names_the_closest_and_what_binds():
    x, y, who = digits()
    given = {**SETTINGS, "budget": "run=200B,train=300B"}
    with pytest.raises(sv.NothingFits) as told:
        sv.compress(space(), (x, y), who=who, **given)
    error = told.value
    assert error.binding in ("run", "train")
    assert error.tried == 6
    (_, broken), *_ = error.closest
    need = {name: need for name, need, have in broken}
    smallest = nn.Sequential(nn.AvgPool2d(2), net(4)).eval()
    plan = sv.plan(smallest, torch.from_numpy(x[:1]), device=DEVICE, update="last:1", norms="folded")
    assert need["train"] <= plan.arena_bytes
    assert "closest: width 4" in str(error)
    assert "\n" not in str(error)


def test_an_accuracy_that_nothing_reaches_binds(found, tmp_path):
    x, y, who = digits()
    given = {**SETTINGS, "budget": replace(found.limits, accuracy=1.0), "epochs": 3, "learn": 0, "distil": False}
    with pytest.raises(sv.NothingFits) as told:
        sv.compress(sv.Space(net, width=(4,)), (x, y), who=who, **given)
    assert told.value.binding == "accuracy"
    assert "of 100.0%" in str(told.value)


def test_a_trained_module_is_pruned_and_teaches():
    """Without people: a fifth of the samples judges."""
    torch.manual_seed(0)
    x, y, _ = digits()
    model = net(16)
    adam = torch.optim.Adam(model.parameters(), 1e-2)
    for _ in range(60):
        adam.zero_grad()
        nn.functional.cross_entropy(model(torch.from_numpy(x)), torch.from_numpy(y)).backward()
        adam.step()
    before = {n: t.clone() for n, t in model.state_dict().items()}
    given = {**SETTINGS, "budget": None, "device": sv.Device(name="wide", ram="64KiB", flash="256KiB"), "multiple": 2}
    found = sv.compress(model.eval(), (x, y), **{**given, "epochs": 3, "learn": 20, "bits": ("float",)})
    assert all(torch.equal(before[n], t) for n, t in model.state_dict().items())
    assert found.people == ()
    assert any(c.architecture.startswith("macs ") for c in found.candidates)
    assert any(c.taught for c in found.candidates)
    assert any("teacher" in s.gave for s in found.steps)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"epochs": 2}, "epochs is 2: give a whole number, 3 or more"),
        ({"lr": 0}, "lr is 0: give a number above 0"),
        ({"bits": ("int4",)}, "bits is"),
        ({"budget": "run=1MiB"}, "board leaves 24 KiB: ask for at most that"),
        ({"judges": 6}, "judges is 6: give a whole number from 1 to 5"),
        ({"who": np.zeros(3)}, "who is of shape (3,): give one of"),
        ({"teacher": 3}, "teacher is of type int"),
    ],
)
def test_what_cannot_be_used_is_one_line(given, says):
    x, y, who = digits()
    settings = {**SETTINGS, "who": who, **given}
    with pytest.raises(sv.InvalidInput) as told:
        sv.compress(space(), (x, y), **settings)
    assert says in str(told.value)


def test_data_that_cannot_be_used_is_one_line():
    x, y, _ = digits()
    for data, says in (
        (x, "data is of type ndarray"), ((x, y[:-1]), "data is of float32"), ((x[:10], y[:10]), "give at least 64"),
        ((x * np.nan, y), "data is not finite"), ((x, y - 9), "give at least two, from 0"),
        ((x, y * 2), "without class 1"),
    ):  # fmt: skip
        with pytest.raises(sv.InvalidInput, match=says):
            sv.compress(space(), data, device=DEVICE)
