"""Flower's FedAvg beside ours: its rows are pairs only if both ask and teach the same devices the same."""

from __future__ import annotations

import os

import numpy as np
import pytest
import torch
from torch import nn

import selvedge as sv
from benchmarks.federated import peer
from benchmarks.federated.experiment import case, habits
from selvedge.federate.coordinator import Event, Opened

SETTINGS = sv.Federation("figures", 4, 3, local=sv.Local(epochs=1, rate=0.1), seed=7)


def test_the_devices_of_a_round_are_those_that_a_real_run_asks() -> None:
    draw = np.random.default_rng(0)
    shards = [(np.float32(draw.standard_normal((4, 3))), np.int32([0, 1, 1, 0])) for _ in range(11)]
    plan = sv.plan(nn.Sequential(nn.Linear(3, 2)), torch.zeros(2, 3), optimizer=sv.SGD(0.1))
    rounds: list[list[int]] = []

    def heard(event: Event) -> None:
        if isinstance(event, Opened):
            rounds.append([int(name.removeprefix("device-")) for name in event.asked])

    sv.simulate(sv.compile(plan), shards, SETTINGS, on_event=heard)
    assert peer.asked(SETTINGS, len(shards)) == rounds
    assert len({tuple(each) for each in rounds}) > 1


def test_without_flwr_the_row_says_what_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(peer.VARIABLE, raising=False)
    own = habits("digits-0.1") | {"rounds": 2, "every": 1}
    assert "SELVEDGE_FLOWER" in case("digits-0.1", 101, "FedAvg by Flower", own)["failed"]


@pytest.mark.skipif(peer.VARIABLE not in os.environ, reason="make flower-test runs it")
def test_flwrs_own_fedavg_comes_to_what_ours_does() -> None:
    own = habits("digits-0.1") | {"rounds": 12, "every": 3}
    ours, theirs = (case("digits-0.1", 101, way, own)["course"] for way in ("FedAvg", "FedAvg by Flower"))
    assert theirs["rounds"] == ours["rounds"] == [3, 6, 9, 12]
    # Its sums are of float32, ours of whole numbers.
    np.testing.assert_allclose(theirs["test"], ours["test"], atol=0.01)
    assert ours["test"][-1] > ours["test"][0] + 0.1
    arrays = 4 * 4810 * 10 * 12
    assert all(arrays < each["up"][-1] < 1.4 * arrays for each in (ours, theirs))
    assert theirs["joules"][-1] > ours["joules"][-1] * 0.9
