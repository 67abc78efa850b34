"""Runs in virtual time: what comes out, and that no kill and no fault changes or loses anything."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from selvedge.errors import InvalidInput
from selvedge.federate.aggregate.optimizer import ServerOptimizer
from selvedge.federate.coordinator import Coordinator
from selvedge.federate.federation import Federation
from selvedge.federate.layout import Layout
from selvedge.federate.local import Local
from selvedge.federate.server import Server

from .toward import LAYOUT, SERVER, World, key, name

WAYS: dict[str, dict[str, Any]] = {
    "plain": {},
    "over-selection": {"over": 1.5},
    "few bytes": {"up": "top:0.3+int8", "down": "int8"},
    "differences": {"up": "sign", "down": "top:0.5+int8", "difference": True},
    "buffered": {"mode": "buffered", "over": 2.0},
    "control variates": {"local": Local(scaffold=True)},
    "median": {"rule": "median"},
    "adam": {"optimizer": ServerOptimizer("adam", 0.1, 0.9)},
}


def settings(**other: Any) -> Federation:
    return Federation("tried", rounds=other.pop("rounds", 6), clients=4, deadline=50.0, **other)


def finished(world: World) -> Server:
    server = world.server()
    server.run(world.grid)
    server.close()
    assert server.coordinator.phase == "done", server.coordinator.why
    return server


def test_with_all_devices_it_is_the_weighted_mean(tmp_path: Path) -> None:
    world = World(Federation("all", rounds=1, clients=8), 8, tmp_path)
    weights = [t.weight for t in world.trainers]
    wanted = np.average(world.points.astype(np.float64) * np.float32(0.5), axis=0, weights=weights)
    server = finished(world)
    np.testing.assert_allclose(server.coordinator.model, wanted, atol=1e-7)
    assert server.coordinator.moved[0].changes == 8


@pytest.mark.parametrize("way", WAYS)
def test_it_nears_the_middle_of_all_devices(way: str, tmp_path: Path) -> None:
    world = World(settings(rounds=40, **WAYS[way]), 12, tmp_path)
    server = finished(world)
    middle = np.average(world.points, axis=0, weights=[t.weight for t in world.trainers])
    assert np.abs(server.coordinator.model - middle).mean() < 0.3 * np.abs(middle).mean()
    assert 0 < server.up_bytes <= world.grid.counted["up"]  # the last answers are under way when it is done
    assert server.down_bytes == world.grid.counted["down"]


def test_what_is_told_to_be_taken_was_on_the_disk_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A device drops what error feedback had left only for a change that no kill can lose any more."""
    world = World(settings(up="sign"), 6, tmp_path)
    server = world.server()
    told: list[tuple[str, int, int]] = []
    ask = server._ask

    def asked(grid: Any, client: str) -> None:
        told.append((client, server.coordinator.last.get(client, -1), server.journal.number))
        ask(grid, client)

    monkeypatch.setattr(server, "_ask", asked)
    server.run(world.grid)
    server.close()
    assert any(last >= 0 for _, last, _ in told)
    again = world.server()
    assert again.coordinator.last == server.coordinator.last
    again.close()


def test_another_model_or_other_settings_do_not_go_on(tmp_path: Path) -> None:
    finished(World(settings(), 5, tmp_path))
    with pytest.raises(InvalidInput, match="another settings"):
        World(settings(rounds=7), 5, tmp_path).server()
    other = Coordinator(settings(), Layout({"c": (17,)}), np.zeros(17, np.float32))
    with pytest.raises(InvalidInput, match="another layout"):
        Server(other, tmp_path, SERVER, {name(0): key(0).public})


def test_nobody_comes_and_it_says_so(tmp_path: Path) -> None:
    world = World(settings(least=4, patience=2), 3, tmp_path)
    server = world.server()
    server.run(world.grid)
    server.close()
    assert server.coordinator.phase == "stopped"
    assert server.coordinator.why == "3 times in a row fewer than 4 devices answered in 50 s"
    assert LAYOUT.size == 17
