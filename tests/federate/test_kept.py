"""What a server keeps: through a power cut, of which run, of which parts, within how many bytes."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from selvedge.errors import InvalidInput
from selvedge.federate.client.participant import Participant
from selvedge.federate.client.store import InFile, InMemory
from selvedge.federate.codec.named import codec
from selvedge.federate.coordinator import Closed, Coordinator, Event, Taken
from selvedge.federate.cover import Rolling, widths
from selvedge.federate.federation import Federation
from selvedge.federate.layout import Layout
from selvedge.federate.local import Local
from selvedge.federate.server import Server
from selvedge.federate.shown import Shown
from selvedge.federate.tally import Tally

from .test_server import settings
from .toward import LAYOUT, SERVER, Toward, World, key, name

SMALL = Layout({"a": (2, 3), "b": (3,)})


class Cut(BaseException):
    pass


def test_a_power_cut_takes_no_change_that_was_acknowledged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What has not been synced is cut off each log, as a disk may."""
    synced: dict[str, int] = {}
    sync = os.fsync

    def noted(handle: int) -> None:
        sync(handle)
        synced[os.readlink(f"/proc/self/fd/{handle}").removesuffix(".new")] = os.fstat(handle).st_size

    monkeypatch.setattr(os, "fsync", noted)
    world = World(settings(), 6, tmp_path / "run")
    server, acknowledged = world.server(durable=True), 0
    done = world.grid.done

    def heard(delivery: Any) -> None:
        nonlocal acknowledged
        acknowledged += 1
        done(delivery)
        if acknowledged == 7:  # of the second round, three
            raise Cut

    monkeypatch.setattr(world.grid, "done", heard)
    with pytest.raises(Cut):
        server.run(world.grid)
    known = server.coordinator.state()[0]
    server.close()
    for log in (tmp_path / "run").glob("log-*"):
        os.truncate(log, synced[str(log)])
    again = world.server(durable=True)
    assert len(again.coordinator.taken) == 3
    assert again.coordinator.state()[0] == {**known, "loss": pytest.approx(known["loss"])}
    again.close()


def test_a_move_that_was_replayed_is_a_snapshot_before_anybody_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(settings(), 6, tmp_path)
    server = world.server()

    def ends() -> None:
        raise Cut

    monkeypatch.setattr(server, "_snapshot", ends)
    with pytest.raises(Cut):
        server.run(world.grid)
    server.close()
    assert server.coordinator.version == 1
    again = world.server()
    found, records = again.journal.recover()
    assert found is not None
    assert not records
    kept = {n.removeprefix("last/"): a for n, a in found.arrays.items() if n.startswith("last/")}
    assert dict(Tally.of(kept)) == dict(again.coordinator.last)
    assert len(again.coordinator.last) == 4
    again.close()


def test_two_runs_of_a_name_share_no_change(tmp_path: Path) -> None:
    """A device that was in the first one is in the second from its first task on, and sends nothing old."""
    first = World(settings(rounds=3, up="sign"), 5, tmp_path / "first")
    one = first.server()
    one.run(first.grid)
    one.close()
    second = World(settings(rounds=3, up="sign"), 5, tmp_path / "second", seed=1)
    for i in range(5):
        second.stores[i] = first.stores[i]
        handle = second.participant(i).handle
        second.grid._handles[name(i)] = handle
    two, events = second.server(), []
    assert one.coordinator.run != two.coordinator.run
    two.run(second.grid, events.append)
    two.close()
    assert not two.refused
    assert all(trainer.asked > 0 for trainer in second.trainers)
    fresh = World(settings(rounds=3, up="sign"), 5, tmp_path / "fresh", seed=1)
    alone = fresh.server()
    alone.run(fresh.grid)
    alone.close()
    assert two.coordinator.model.tobytes() == alone.coordinator.model.tobytes()
    again = second.server()
    assert again.coordinator.run == two.coordinator.run
    again.close()


def test_a_task_is_for_one_device(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sent: dict[str, bytes] = {}
    world = World(settings(rounds=1), 5, tmp_path)
    send = world.grid.send

    def noted(client: str, message: Any) -> None:
        sent[client] = message.packed()
        send(client, message)

    monkeypatch.setattr(world.grid, "send", noted)
    server = world.server()
    server.run(world.grid)
    server.close()
    mine, others = list(sent)[:2]
    device = Participant(mine, key(int(mine[-3:])), SERVER.public, Toward(np.ones(17)), InMemory())
    assert device.handle(sent[others]) is None
    assert device.handle(sent[mine]) is not None


def test_all_of_a_round_are_sent_one_body(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for other in ({}, {"local": Local(scaffold=True)}):
        world, bodies = World(settings(**other), 8, tmp_path / str(len(other))), []
        send = world.grid.send

        def noted(client: str, message: Any, bodies: list[bytes] = bodies, send: Any = send) -> None:
            bodies.append(message.body)
            send(client, message)

        monkeypatch.setattr(world.grid, "send", noted)
        server = world.server()
        server.run(world.grid)
        server.close()
        assert len({id(body) for body in bodies}) == 6  # one a round


def test_more_samples_than_a_device_may_have_do_not_count(tmp_path: Path) -> None:
    world = World(settings(most_samples=9), 5, tmp_path)
    world.trainers[2].weight = 10
    taken: list[str] = []

    def heard(event: Event) -> None:
        if isinstance(event, Taken):
            taken.append(event.client)

    server = world.server()
    server.run(world.grid, heard)
    server.close()
    assert server.coordinator.phase == "done"
    assert name(2) not in taken
    assert any("it says 10 samples, where a device may have 9" in line for line in world.log)
    assert Federation("a", 1, 10).heaviest == (1 << 24) // 10  # nobody leaves the others without room
    for odd in (0, True, 2.5):
        with pytest.raises(InvalidInput, match="most_samples is"):
            Federation("a", 1, 10, most_samples=odd)  # type: ignore[arg-type]


def test_parts_that_are_others_do_not_go_on(tmp_path: Path) -> None:
    def server(cover: Any) -> Server:
        coordinator = Coordinator(settings(), LAYOUT, np.zeros(17, np.float32), {"small": cover})
        return Server(coordinator, tmp_path, SERVER, {name(0): key(0).public}, durable=False)

    server(widths(LAYOUT, SMALL)).close()
    server(widths(LAYOUT, SMALL)).close()
    for other in (widths(LAYOUT, SMALL, 1), Rolling(LAYOUT, SMALL)):
        with pytest.raises(InvalidInput, match="another covers"):
            server(other)


def test_channels_roll_on_with_each_task() -> None:
    rolling = Rolling(LAYOUT, SMALL)
    assert rolling.period == 20  # axes of 4 and of 5
    for task in (0, 1, 7, 23):
        assert rolling.at(task).indices == widths(LAYOUT, SMALL, task).indices
    had = np.zeros(17)
    for task in range(20):
        had[rolling.at(task).where] += 1
    assert (had[:12] == 10).all()
    assert (had[12:] == 12).all()
    with pytest.raises(InvalidInput, match="parts that roll"):
        Coordinator(settings(local=Local(scaffold=True)), LAYOUT, np.zeros(17, np.float32), {"a": rolling})


@pytest.mark.parametrize("down", ["float32", "int8", "sign"])
def test_steps_that_are_kept_are_fewer_bytes_than_the_model_and_within_the_journal(down: str, tmp_path: Path) -> None:
    shapes = ((40, 30),)
    shown = Shown(np.zeros(1200, np.float32), codec(down), shapes, True, 1000, 3)
    for i in range(200):
        shown.move(np.random.default_rng(i).normal(size=1200))
        assert sum(4 + len(step) for step in shown.steps.values()) < 4800
    layout = Layout({"a": (700, 1000)})
    long = Federation("long", rounds=30, clients=1, difference=True, down=down, history=1000)
    coordinator = Coordinator(long, layout, np.zeros(layout.size, np.float32))
    server = Server(coordinator, tmp_path, SERVER, {name(0): key(0).public}, durable=False)
    for i in range(8):
        coordinator.shown.move(np.random.default_rng(i).normal(size=layout.size))
    server._snapshot()
    server.close()


def test_a_store_that_is_damaged_is_moved_away_and_the_device_goes_on(tmp_path: Path) -> None:
    said: list[str] = []
    store = InFile(tmp_path / "state", said.append)
    store.save({"a": 1}, {"x": np.arange(4)})
    assert store.load() is not None
    (tmp_path / "state").write_bytes((tmp_path / "state").read_bytes()[:-3])
    assert store.load() is None
    assert said == [f"device state is {tmp_path}/state: it was damaged, and lies at state.damaged now; it begins anew"]
    store.save({"a": 2}, {})
    found = store.load()
    assert found is not None
    assert found[0] == {"a": 2}


def test_devices_that_lose_their_stores_go_on(tmp_path: Path) -> None:
    """What they kept of the model is gone; the server learns so by their refusal, and sends all of it."""
    world = World(settings(rounds=8, difference=True, down="int8", up="sign", least=2), 6, tmp_path)
    server = world.server()

    def heard(event: Event) -> None:
        if isinstance(event, Closed) and event.at and server.coordinator.version == 4:
            for i in range(6):
                world.grid._handles[name(i)] = world.restarts(i)(True)

    server.run(world.grid, heard)
    server.close()
    assert server.coordinator.phase == "done"
    assert any("the difference to version" in reason for reason in server.refused)
    assert [m.changes for m in server.coordinator.moved][-1] == 4


def test_a_clock_that_begins_anew_holds_no_round(tmp_path: Path) -> None:
    again = World(settings(least=3, rounds=6), 5, tmp_path / "other")
    first = again.server()

    class Ended(BaseException):
        pass

    def heard(event: Event) -> None:
        if first.coordinator.version == 2:
            raise Ended

    again.grid._now = 1e6
    with pytest.raises(Ended):
        first.run(again.grid, heard)
    first.close()
    again.grid._now, again.grid._coming = 0.0, []
    second = again.server()
    second.run(again.grid)
    second.close()
    assert second.coordinator.phase == "done"
    assert again.grid.now() < 1000
    assert [m.at for m in second.coordinator.moved] == sorted(m.at for m in second.coordinator.moved)
