"""``selvedge plan --sweep`` and what a day of a battery affords, as a user runs them."""

from __future__ import annotations

import json
import os
import re
import signal
import time
from pathlib import Path
from typing import Any

import pytest

import selvedge as sv
from selvedge.face.model import load

from .command import run, start

NET = """
import torch
from torch import nn

def make():
    torch.manual_seed(0)
    layers = [m for _ in range(3) for m in (nn.Conv2d(2, 2, 3, padding=1), nn.Tanh())]
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(128, 4)), torch.zeros(1, 2, 8, 8)

class Traced(nn.Module):
    def forward(self, x):
        open("traced", "w").close()
        return x

def deep():
    layers = [m for _ in range(60) for m in (nn.Conv2d(2, 2, 3, padding=1), nn.Tanh())]
    return nn.Sequential(Traced(), *layers, nn.Flatten(), nn.Linear(128, 4)), torch.zeros(1, 2, 8, 8)
"""
ON = ("plan", "net.py:make", "--device", "nrf52832")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "net.py").write_text(NET)
    return tmp_path


def test_a_sweep_is_a_table_a_page_and_data(folder: Path) -> None:
    shown = run(*ON, "--sweep", "--batches", "1,2", "--optimizers", "sgd; adam:lr=0.01", "--plot", "s.html", cwd=folder)
    assert (shown.code, shown.err) == (0, "")
    lines = shown.out.splitlines()
    assert max(map(len, lines)) <= 100
    assert re.match(r"net on nrf52832: \d+ of \d+ plans are worth having", lines[0])
    assert any(line.startswith("full ") and " Adam " in line for line in lines)
    assert lines[-1] == "drawn in s.html"
    page = (folder / "s.html").read_text()
    assert page.count("<figure") == 3  # contribution, time, energy
    data = run(*ON, "--sweep", "--json", "--plot", "s.svg", cwd=folder)
    found = json.loads(data.out)
    assert (found["complete"], found["device"]) == (True, "nrf52832")
    assert {p["update"] for p in found["points"]} == {"full", "bias", "last:1", "last:2", "last:3"}
    assert (folder / "s.svg").read_text().startswith("<svg")


def test_an_interrupted_sweep_shows_what_there_is(folder: Path) -> None:
    options = ("--device", "stm32h743", "--sweep", "--seconds", "600", "--plot", "part.html")
    command = start("plan", "net.py:deep", *options, cwd=folder)
    deadline = time.monotonic() + 100
    while not (folder / "traced").exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    time.sleep(5)  # it is in the middle: all of it takes minutes
    os.kill(command.pid, signal.SIGINT)
    done = command.result()
    assert done.code == 130, done.err
    assert re.fullmatch(r"selvedge: interrupted: \d+ plans were made\n", done.err)
    assert "plans are worth having" in done.out
    assert "a finer sweep" in done.out
    assert (folder / "part.html").exists()


def test_what_a_battery_and_a_cell_afford(folder: Path) -> None:
    shown = run(*ON, "--battery", "1000mAh@3.7V", "--life", "365d", cwd=folder)
    assert shown.code == 0
    assert re.search(r"energy +32.3 J a day +battery of 3.7 Wh for 365 days", shown.out)
    assert re.search(r"steps +[\d,]+ a day +[\d,]+ to [\d,]+ within the error of the energy", shown.out)
    data = json.loads(run(*ON, "--solar", "20cm2", "--json", cwd=folder).out)
    assert data["a_day"]["joules"] == pytest.approx(3240)
    assert data["power"] == "20 cm2 of solar cells at 3 kWh a m2 and day"


def test_the_least_is_that_of_the_library(folder: Path) -> None:
    def plan(*options: str) -> Any:
        return json.loads(run(*ON, *options, "--json", cwd=folder).out)

    plain, least = plan(), plan("--least", "--slowdown", "3")
    assert least["transient_bytes"] < plain["transient_bytes"]
    named = load(f"{folder / 'net.py'}:make", None, 0)
    trade = sv.Trade(least=True, slowdown=3)
    same = sv.plan(named.model, named.example, device="nrf52832", trade=trade, name=named.name)
    assert least["digest"] == same.to_dict()["digest"]


def test_a_sweep_accumulates_and_reads_what_was_measured(folder: Path) -> None:
    tensors = "".join(
        f'[[tensor]]\nname = "{name}"\nbytes = 4\nscore = {score}\n'
        for name, score in (("0.weight", 1.0), ("7.bias", 3.0))
    )
    (folder / "c.toml").write_text(f'method = "fisher"\nof = "net"\ntotal = 8\n{tensors}')
    asked = ("--batch", "4", "--accumulate", "2", "--contribution", "c.toml", "--slowdown", "1", "--json")
    found = json.loads(run(*ON, "--sweep", *asked, cwd=folder).out)
    assert found["contribution"] == "measured"
    assert {p["update"]: p["contribution"] for p in found["points"]}["bias"] == 0.75
    whole = json.loads(run(*ON, *asked[:4], "--slowdown", "1", "--json", cwd=folder).out)
    full = next(p for p in found["points"] if p["update"] == "full")
    assert full["batch"] == whole["batch"] == 4
    assert full["arena_bytes"] >= whole["arena_bytes"] > whole["persistent_bytes"] > 4 * 2 * whole["learnt_parameters"]


def test_the_changes_of_a_refusal_are_data(folder: Path) -> None:
    refused = run(*ON, "--budget", "ram=3KiB", "--optimizer", "adam", "--batch", "4", "--json", cwd=folder)
    error = json.loads(refused.out)["error"]
    assert refused.code == 2
    assert refused.err.count("\n") == 1
    assert 1 <= len(error["changes"]) <= 3
    assert error["changes"][0]["text"] == error["cheapest_change"]
    assert all(change["arena_bytes"] <= 3072 for change in error["changes"])


def test_the_changes_of_a_refusal_are_a_line_each_with_its_price(folder: Path) -> None:
    asked = ("--budget", "ram=3KiB", "--optimizer", "adam", "--batch", "4")
    first, *below = run(*ON, *asked, cwd=folder).err.splitlines()
    error = json.loads(run(*ON, *asked, "--json", cwd=folder).out)["error"]
    assert first == f"selvedge: {error['message']}"
    assert len(below) == len(error["changes"]) >= 2
    for line, change in zip(below, error["changes"], strict=True):
        size, told = line.strip().split(" B  ")
        text, price = told.split("; price: ")
        assert line.startswith("  ")
        assert (size, text) == (f"{change['arena_bytes']:,}", change["text"])
        assert f"{change['time_factor']:.2f} x the time a sample" in price
        assert (f"{change['gives_up']:.1%} of what was to learn does not" in price) == (change["gives_up"] > 0)
    (folder / "bare.toml").write_text('ram = "3KiB"\nflash = "1MiB"\n')  # without a figure of time
    bare = (*ON[:2], "--device", "bare.toml", *asked[2:])
    untimed = json.loads(run(*bare, "--json", cwd=folder).out)["error"]["changes"]
    first, *below = run(*bare, cwd=folder).err.splitlines()
    assert {change["time_factor"] for change in untimed} == {None}
    assert [("price" in line) for line in below] == [change["gives_up"] > 0 for change in untimed]


def test_a_refusal_of_flash_tells_bytes_of_flash(folder: Path) -> None:
    asked = ("--budget", "flash=26KiB")
    error = json.loads(run(*ON, *asked, "--json", cwd=folder).out)["error"]
    first, *below = run(*ON, *asked, cwd=folder).err.splitlines()
    assert first.startswith("selvedge: flash does not fit")
    assert below
    assert [line.split()[0] for line in below] == [f"{change['flash_bytes']:,}" for change in error["changes"]]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--sweep", "--out", "made"), "--sweep is on: it plans all updates"),
        (("--sweep", "--update", "bias"), "--sweep is on: it plans all updates"),
        (("--sweep", "--least"), "--sweep is on: it plans into fewer and fewer bytes anyway"),
        (("--batches", "1"), "--batches is 1: it is of a sweep"),
        (("--optimizers", "adam"), "--optimizers is adam: it is of a sweep"),
        (("--sweep", "--batches", "1,x"), "--batches is 1,x: give whole numbers"),
        (("--sweep", "--batches", "0"), "--batches is 0: give whole numbers"),
        (("--sweep", "--optimizers", "adam;"), "--optimizer is empty"),
        (("--sweep", "--seconds", "0"), "--seconds is 0.0"),
        (("--sweep", "--accumulate", "2"), "accumulate is 2: the batch of 1 must be a multiple"),
        (("--sweep", "--contribution", "no.toml"), "contribution is no.toml: it cannot be read"),
        (("--battery", "1000mAh"), "battery is 1000mAh: write it as 1000mAh@3.7V"),
        (("--battery", "1Wh", "--life", "soon"), "life is soon"),
        (("--battery", "1Wh", "--solar", "1cm2"), "--solar is 1cm2: give either"),
        (("--life", "30d"), "--life is 30d: it is a battery's"),
        (("--slowdown", "0.5"), "trade slowdown is 0.5"),
        (("--page",), "trade page is on nrf52832, which has no storage"),
    ],
)
def test_what_cannot_be_is_one_line(folder: Path, arguments: tuple[str, ...], says: str) -> None:
    done = run(*ON, *arguments, cwd=folder)
    assert (done.code, done.out) == (2, "")
    assert done.err.count("\n") == 1
    assert says in done.err
    assert sorted(p.name for p in folder.iterdir()) == ["net.py"]
