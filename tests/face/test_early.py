"""What is wrong with a line is said before torch is loaded, which takes seconds."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest

from selvedge.capture import NORMS, loss
from selvedge.capture.loss import NAMED as NAMED_LOSSES
from selvedge.face import completion, optimizer, optimizer_name
from selvedge.face.job import TASKS, schedule

NET = ("net.py:net", "--input", "1x4")
DATA = ("--data", "data.csv")
LINES: list[tuple[tuple[str, ...], str]] = [
    *(
        ((command, *NET, *(DATA if command in ("train", "try") else ()), *options), says)
        for command in ("plan", "compile", "train", "try")
        for options, says in (
            (("--device", "stm32"), "device is stm32"),
            (("--device", "no.toml"), "device is no.toml"),
            (("--budget", "ram"), "budget is ram"),
            (("--budget", "ram=-1KiB"), "budget ram is -1KiB"),
            (("--device", "nrf52832", "--budget", "ram=1GiB"), "budget ram is 1GiB"),
            (("--optimizer", "lion"), "--optimizer is lion"),
            (("--norms", "alive"), "--norms is alive"),
            (("--loss", "hubert"), "--loss is hubert"),
            *(((("--loss", "huber"), "--loss is huber"),) if command in ("train", "try") else ()),
            (("--optimizer", "sgd:lr=-1"), "--optimizer lr is -1: give a number >= 0"),
            (("--optimizer", "adam:betas=0.9/1"), "--optimizer betas is 0.9/1"),
            (("--update", "last:0"), "--update is last:0: give the number of layers, as last:2"),
            (("--update", "last:two"), "--update is last:two"),
            (("--batch", "-2"), "--batch is -2"),
            (("--accumulate", "0"), "--accumulate is 0"),
            *(((("--dynamic", "0:9..1"), "--dynamic is 0:9..1"),) if command in ("plan", "compile") else ()),
        )
    ),
    (("plan", "no.py:net"), "model file is no.py: there is no such file"),
    (("compile", "no.pt2"), "model file is no.pt2: there is no such file"),
    (("plan", "zoo:resnet9"), "model is resnet9"),
    (("plan", "net.py:net", "--input", "1,4"), "--input is 1,4"),
    (("plan", *NET, "--slowdown", "-1"), "trade slowdown is -1"),
    (("plan", *NET, "--battery", "full"), "battery is full"),
    (("plan", *NET, "--plot", "plan.pdf"), "--plot is plan.pdf"),
    (("plan", *NET, "--update", "auto", "--contribution", "no.toml"), "contribution is no.toml"),
    (("compile", *NET, "--out", "net.py"), "--out is net.py"),
    (("train", *NET, "--data", "nowhere"), "--data is nowhere"),
    (("train", *NET, *DATA, "--out", "net.py"), "--out is net.py"),
    (("train", *NET, *DATA, "--schedule", "line"), "--schedule is line"),
    (("try", *NET, *DATA, "--epochs", "-1"), "--epochs is -1"),
    (("try", *NET, *DATA, "--plot", "page.pdf"), "--plot is page.pdf"),
    (("contribute", *NET, "--data", "nowhere"), "--data is nowhere"),
]
ONE_PROCESS = """
import contextlib, io, json, sys
from selvedge.face.cli import main

found = []
for line in json.load(sys.stdin):
    said = io.StringIO()
    with contextlib.redirect_stderr(said):
        try:
            main(line)
        except SystemExit as stop:
            found.append((stop.code, said.getvalue(), "torch" in sys.modules))
json.dump(found, sys.stdout)
"""


def test_torch_is_not_loaded_for_a_line_that_is_refused(tmp_path: Path) -> None:
    shutil.copy(Path(__file__).with_name("net.py"), tmp_path)
    (tmp_path / "data.csv").write_text("a,b,c,d,label\n1,2,3,4,0\n")
    done = subprocess.run(
        [sys.executable, "-c", ONE_PROCESS], input=json.dumps([line for line, _ in LINES]),
        cwd=tmp_path, capture_output=True, text=True, check=True,
    )  # fmt: skip
    found = json.loads(done.stdout)
    assert len(found) == len(LINES)
    for (line, says), (code, said, loaded) in zip(LINES, found, strict=True):
        assert (code, loaded, said.count("\n")) == (2, False, 1), (line, said)
        assert said.startswith(f"selvedge: {says}"), (line, said)


def test_the_names_without_torch_are_those_with_it() -> None:
    assert completion.NORMS == NORMS
    assert set(completion.TRAINED) == set(TASKS)
    assert completion.LOSSES == NAMED_LOSSES
    assert all(loss(name) for name in completion.LOSSES)
    assert all(schedule(name, 0.1, 100) for name in completion.SCHEDULES)
    with pytest.raises(ValueError, match=f"give one of {', '.join(completion.SCHEDULES)}"):
        schedule("line", 0.1, 100)
    assert tuple(optimizer.KINDS) == optimizer_name.NAMES


def test_values_that_are_refused_without_torch_are_refused_with_it() -> None:
    """And no other: each key that an optimiser has, at the ends of what it takes."""
    for name, (kind, _) in optimizer.KINDS.items():
        keys = {f.name for f in fields(kind)}
        for key in (*optimizer_name.NOT_NEGATIVE, "betas"):
            if key not in keys:
                continue
            good, bad = ("0/0.99", "0/1") if key == "betas" else ("1" if key.startswith("clip") else "0", "-1e-9")
            assert optimizer_name.check(f"{name}:{key}={good}") == name
            optimizer.parse(f"{name}:{key}={good}")
            with pytest.raises(ValueError, match=f"--optimizer {key} is"):
                optimizer_name.check(f"{name}:{key}={bad}")
            given = tuple(map(float, bad.split("/"))) if key == "betas" else float(bad)
            with pytest.raises(ValueError, match="it must be"):
                kind(**{"lr": 0.1, key: given})
