"""What a plan says of time and energy: sums over its kernels, and a band round the joules."""

from __future__ import annotations

import dataclasses
import json
import re

import pytest
import torch

import selvedge as sv
from selvedge.device.cost import kernel_seconds
from selvedge.make.plan import Plan
from selvedge.planning.program import works


def planned(device: sv.Device | str) -> Plan:
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Conv2d(3, 8, 3), torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.Linear(288, 4))
    return sv.plan(model, torch.zeros(1, 3, 8, 8), device=device)


def test_a_program_takes_the_sum_of_its_kernels() -> None:
    plan = planned("nrf52832")
    for p in plan.arrangement.programs.values():
        done = works(p.kernels.values(), p.instances, plan.device, plan.arena_bytes)
        times = [kernel_seconds(plan.device, work) for work in done]
        assert p.seconds == pytest.approx(sum(t for t in times if t is not None))
        assert len(times) == len(p.kernels)
        assert sum(w.macs for w in done) == p.macs
        assert sum(w.counts["byte"] for w in done) == p.bytes_moved


def test_a_measured_table_changes_the_time_and_nothing_else() -> None:
    device = sv.Device.load("nrf52832")
    measured = dataclasses.replace(device, times=[{"family": "conv2d", "dtype": "float32", "call": 1.0}])
    before, after = planned(device), planned(measured)
    assert after.arrangement.digest() == before.arrangement.digest()
    convolutions = sum(k.family == "conv2d" for k in before.arrangement.programs["step"].kernels.values())
    assert convolutions == 2
    seconds = after.arrangement.programs["step"].seconds
    assert seconds is not None
    assert 2.0 < seconds < 2.1


def test_joules_carry_their_band() -> None:
    plan = planned("nrf52832")
    figures = json.loads(json.dumps(plan.to_dict()))
    joules, band = figures["joules_per_step"], plan.device.energy
    assert band is not None
    assert figures["joules_low"] == pytest.approx(joules / 1.5)
    assert figures["joules_high"] == pytest.approx(joules * 1.5)
    row = next(line for line in str(plan).splitlines() if line.startswith("step "))
    shown = re.search(r"([\d.]+) ([mµn]?)J \(([\d.]+)-([\d.]+)\)$", row)
    assert shown is not None
    scale = {"": 1.0, "m": 1e-3, "µ": 1e-6, "n": 1e-9}[shown[2]]
    wanted = (joules, joules / 1.5, joules * 1.5)
    for text, value in zip((shown[1], shown[3], shown[4]), wanted, strict=True):
        assert float(text) * scale == pytest.approx(value, rel=0.06)


def test_without_energy_figures_there_are_no_joules() -> None:
    figures = planned("stm32f446").to_dict()
    assert figures["seconds_per_step"] > 0
    assert figures["joules_per_step"] is figures["joules_low"] is figures["joules_high"] is None
