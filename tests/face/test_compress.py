"""``selvedge compress`` as a user runs it, on digits that six people write each in their own way."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path

import numpy as np
import pytest

import selvedge as sv
from tests.make.searching.people import digits

from .command import run, start

USER = """
import torch
from torch import nn

def net(classes=4):
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, 8, 3, 2, 1), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 16, 3, 1, 1), nn.ReLU(),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, classes),
    )
"""
ON = ("compress", "own.py:net", "--data", "people.npz", "--device", "board.toml")
BRIEFLY = ("--epochs", "3", "--learn", "30", "--keep", "2", "--finalists", "1", "--no-distil", "--bits", "float")


@pytest.fixture
def user(tmp_path: Path) -> Path:
    x, y, who = digits()
    np.savez(tmp_path / "people.npz", x=x, y=y, group=who)
    (tmp_path / "own.py").write_text(USER)
    (tmp_path / "board.toml").write_text('name = "board"\nram = "48KiB"\nflash = "256KiB"\n')
    return tmp_path


def test_a_users_model_becomes_an_artifact_that_learns(user):
    told = run(*ON, *BRIEFLY, "--budget", "run=12KiB,train=32KiB", "--work", "w", "--plot", "p.html", "--out", "fw",
               "--json", cwd=user)  # fmt: skip
    assert (told.code, told.err) == (0, ""), told
    found = json.loads(told.out, parse_constant=pytest.fail)
    best = next(c for c in found["candidates"] if c["name"] == found["best"])
    assert best["run_bytes"] <= 12 << 10
    assert found["test"]["people"] >= 1
    assert 0 <= found["test"]["shipped"] <= 1
    assert found["test"]["learnt"] is not None
    session = sv.load(user / "fw")
    assert session.arena_bytes == best["train_bytes"] <= 32 << 10
    x, y, _ = digits()
    assert np.isfinite(session.step(x[:1], y[:1]))
    assert best["architecture"] in (user / "p.html").read_text()
    again = run(*ON, *BRIEFLY, "--budget", "run=12KiB,train=32KiB", "--work", "w", cwd=user)
    assert again.code == 0, again
    assert f"{best['learnt']:.1%}" in again.out
    assert "whom the search has not seen" in again.out
    other = run(*ON, *BRIEFLY, "--budget", "run=13KiB,train=32KiB", "--work", "w", cwd=user)
    assert other.code == 2
    assert "selvedge: --work is w: it is of a search with another budget: name another" in other.err


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (("--budget", "ram=4KiB"), "budget is ram=4KiB: write run, train"),
        (("--budget", "run=1MiB"), "board leaves 48 KiB"),
        (("--bits", "int4"), "--bits is int4: give one of float, int8"),
        (("--epochs", "0"), "--epochs is 0"),
        (("--epochs", "2"), "--epochs is 2: give a whole number, 3 or more"),
        (("--learn", "-1"), "--learn is -1: give a whole number, 0 or more"),
        (("--keep", "0"), "--keep is 0"),
        (("--lr", "0"), "--lr is 0.0: give a number above 0"),
        (("--judges", "9"), "--judges is 9: give a whole number from 1 to"),
        (("--plot", "p.svg"), "--plot is p.svg"),
    ],
)
def test_what_cannot_be_used_is_one_line(user, given, says):
    told = run(*ON, *given, cwd=user)
    assert told.code == 2
    assert says in told.err
    assert told.out == ""


def test_a_budget_that_nothing_keeps_exits_2_and_says_what_binds(user):
    told = run(*ON, *BRIEFLY, "--budget", "run=64B", "--json", cwd=user)
    assert told.code == 2
    error = json.loads(told.out)["error"]
    assert error["kind"] == "NothingFits"
    assert error["binding"] == "run"
    assert error["closest"][0][1][0][0] == "run"
    assert "RAM to run binds" in told.err


def test_ctrl_c_is_heard_wherever_it_falls_and_the_same_line_goes_on(user):
    """torch swallows a KeyboardInterrupt that is raised in its weak references' callbacks: it is no exception here."""
    given = (*ON, *BRIEFLY, "--work", "w", "--learn", "400")
    for pieces in (1, 3, 4):
        command = start(*given, cwd=user)
        deadline = time.monotonic() + 60
        while command.running() and len(list((user / "w").glob("*.json"))) <= pieces:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        os.kill(command.pid, signal.SIGINT)
        done = command.result()
        assert (done.code, done.out) == (130, ""), done
        assert done.err == "selvedge: interrupted: what is finished is in w; the same line goes on from there\n"
    assert run(*given, cwd=user).code == 0


def test_a_person_of_the_test_part_with_one_sample_does_not_refuse_the_rest(user):
    x, y, who = digits()
    who = who.copy()
    who[::40] = 100 + np.arange(len(who[::40]))
    np.savez(user / "people.npz", x=x, y=y, group=who)
    told = run(*ON, *BRIEFLY, "--json", cwd=user)
    assert told.code == 0, told
    assert json.loads(told.out)["test"]["people"] >= 1


def test_on_this_machine_the_same_line_goes_on(user):
    given = ("compress", "own.py:net", "--data", "people.npz", *BRIEFLY, "--work", "w")
    first, again = (run(*given, cwd=user) for _ in range(2))
    assert (first.code, again.code) == (0, 0), again
    assert first.out == again.out
