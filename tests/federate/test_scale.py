"""What a thousand devices in one process go by: shelf, spill, threads, sums in fewer passes; to the same bits."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import selvedge.federate.grid.virtual as virtual
from selvedge.errors import InvalidInput
from selvedge.federate.aggregate.fixed import FixedSum
from selvedge.federate.client.participant import Participant
from selvedge.federate.client.store import InMemory, Store
from selvedge.federate.codec.codec import Codec
from selvedge.federate.codec.named import codec
from selvedge.federate.codec.top import LARGE, largest
from selvedge.federate.coordinator import Closed, Coordinator, Event
from selvedge.federate.federation import Federation
from selvedge.federate.feedback import encoded
from selvedge.federate.grid.faults import Faults
from selvedge.federate.grid.virtual import Device, VirtualGrid
from selvedge.federate.message import Message, Refused, Sealed, made, read
from selvedge.federate.server import Server
from selvedge.federate.shelf import Shelf
from selvedge.federate.spill import MAPPED, Spill
from selvedge.learn.draws import Draws

from .toward import LAYOUT, SERVER, Toward, key, name

COUNT = 12


def run(folder: Path, stores: Any = None, threads: int = 0, records: bool = True, **other: Any) -> tuple[Any, Server]:
    """(the model's bits, server) of devices whose speeds differ, in a network without faults."""
    random = np.random.default_rng(5)
    points = (2 + 0.5 * random.normal(size=(COUNT, LAYOUT.size))).astype(np.float32)
    kept: list[Store] = stores or [InMemory() for _ in range(COUNT)]
    took = random.lognormal(size=COUNT)

    def handle(i: int, data: bytes) -> Message | None:
        return Participant(name(i), key(i), SERVER.public, Toward(points[i]), kept[i], seed=i).handle(data)

    devices = {name(i): Device(partial(handle, i), seconds=float(took[i]), link=1e3) for i in range(COUNT)}
    of = Federation("scale", **{"rounds": 6, "clients": 8, "over": 1.4, "up": "top:0.3+int8", "seed": 3, **other})
    coordinator = Coordinator(of, LAYOUT, np.zeros(LAYOUT.size, np.float32))
    server = Server(
        coordinator, folder, SERVER, {name(i): key(i).public for i in range(COUNT)}, durable=False, records=records
    )
    try:
        server.run(VirtualGrid(devices, 3, threads=threads))
    finally:
        server.close()
    assert coordinator.phase == "done"
    assert not server.refused.keys() - {"of a task that is over"}
    return coordinator.model.tobytes(), server


@pytest.mark.parametrize("mode", ["rounds", "buffered"])
def test_shelf_threads_and_a_journal_of_moves_come_to_the_same_bits(tmp_path: Path, mode: Any) -> None:
    plain, server = run(tmp_path / "plain", mode=mode)
    for way, given_ in {
        "shelf": {"stores": [Shelf().of(name(i)) for i in range(COUNT)]},
        "one shelf": {"stores": list(map((shelf := Shelf(answers=False)).of, map(name, range(COUNT))))},
        "threads": {"threads": 2},
        "moves": {"records": False},
    }.items():
        found, other = run(tmp_path / way, mode=mode, **given_)
        assert found == plain, way
        assert (other.up_bytes, other.down_bytes) == (server.up_bytes, server.down_bytes), way
    assert set(shelf.places) == {name(i) for i in range(COUNT)}


def test_answers_under_way_that_are_spilt_are_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plain, _ = run(tmp_path / "plain")
    monkeypatch.setattr(virtual, "ROOM", 10)  # bytes: nearly all are spilt
    put: list[int] = []
    monkeypatch.setattr(
        virtual, "Spill", type("Counted", (Spill,), {"put": lambda s, p: put.append(1) or Spill.put(s, p)})
    )
    assert run(tmp_path / "spilt")[0] == plain
    answers = len(put)
    monkeypatch.setattr(virtual, "TASKS", 10)
    assert run(tmp_path / "tasks too")[0] == run(tmp_path / "in threads", threads=2)[0] == plain
    assert 0 < answers < len(put) / 3


def test_a_grid_whose_messages_are_spilt_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(virtual, "TASKS", 0)
    head = {
        "run": "r", "task": 1, "client": name(0), "version": 0, "base": -1, "layout": LAYOUT.digest, "window": 0,
        "down": "float32", "difference": False, "up": "float32", "seed": 1, "model_seed": 1, "taken": -1,
        "local": {"epochs": 1, "rate": 0.1, "mu": 0.0, "scaffold": False},
    }  # fmt: skip

    def grid() -> VirtualGrid:
        participant = Participant(name(0), key(0), SERVER.public, Toward(np.ones(17)), InMemory())
        return VirtualGrid({name(0): Device(participant.handle)}, 3)

    first, second = grid(), grid()
    first.send(name(0), made("task", head, np.zeros(17, "<f4").tobytes(), SERVER))
    second.load(*first.state())
    answers = [of.receive(100.0) for of in (first, second)]
    assert answers[0] is not None
    assert answers[0] == answers[1]


def test_threads_are_refused_with_faults() -> None:
    with pytest.raises(InvalidInput, match="threads"):
        VirtualGrid({}, faults=Faults(crash=0.1), threads=1)


class Killed(BaseException):
    pass


def test_a_journal_of_moves_goes_on_from_the_last_one(tmp_path: Path) -> None:
    of = Federation("moves", rounds=4, clients=3, seed=1)

    def server() -> Server:
        coordinator = Coordinator(of, LAYOUT, np.zeros(LAYOUT.size, np.float32))
        return Server(coordinator, tmp_path, SERVER, {name(i): key(i).public for i in range(3)}, records=False)

    def grid() -> VirtualGrid:
        return VirtualGrid(
            {
                name(i): Device(Participant(name(i), key(i), SERVER.public, Toward(np.full(17, i)), InMemory()).handle)
                for i in range(3)
            }
        )

    first, moves = server(), 0

    def heard(event: Event) -> None:
        nonlocal moves
        moves += isinstance(event, Closed)
        if moves == 2 and not isinstance(event, Closed) and first.coordinator.taken:
            raise Killed

    with pytest.raises(Killed):
        first.run(grid(), heard)
    first.close()
    again = server()
    assert (again.coordinator.version, again.coordinator.taken) == (2, {})
    again.run(grid())
    again.close()
    whole = Coordinator(of, LAYOUT, np.zeros(LAYOUT.size, np.float32))
    other = Server(whole, tmp_path / "whole", SERVER, {name(i): key(i).public for i in range(3)}, durable=False)
    other.run(grid())
    other.close()
    assert again.coordinator.model.tobytes() == whole.model.tobytes()


# -- the shelf and the spill -------------------------------------------------------------------------------------------


def test_what_is_saved_again_stays_where_it_is() -> None:
    shelf = Shelf()
    store = shelf.of("a")
    assert store.load() is None
    left, model = np.arange(5000, dtype=np.float32), np.arange(MAPPED // 4 + 3, dtype=np.float32)
    store.save({"task": 0}, {"left": left, "model": model, "none": np.zeros(0), "body": np.zeros(3, np.uint8)})
    end = shelf.spill.end
    for task in range(1, 5):
        found = store.load()
        assert found is not None
        head, arrays = found
        assert head == {"task": task - 1}
        kept = {n: arrays[n] for n in ("left", "model", "none", "body")}
        assert kept["left"].tobytes() == left.tobytes()
        assert kept["model"].tobytes() == model.tobytes()
        assert kept["none"].shape == (0,)
        store.save({"task": task}, {"left": kept["left"], "model": kept["model"], "none": kept["none"],
                                    "body": np.full(task, 7, np.uint8)})  # fmt: skip
    assert shelf.spill.end <= end + (1 << 14)
    shelf.lose("a")
    assert shelf.of("a").load() is None


def test_one_number_many_times_takes_no_room() -> None:
    shelf = Shelf()
    zeros = encoded(np.ones(1 << 16, np.float32), None, codec("float32"), ((1 << 16,),), 0, Draws(0)).left
    assert not zeros.any()
    shelf.of("a").save({}, {"left": zeros})
    found = shelf.of("a").load()
    assert found is not None
    np.testing.assert_array_equal(found[1]["left"], zeros)
    assert shelf.spill.end < 1 << 15


def test_a_disk_that_is_full_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*of: Any) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.pwritev", full)
    with pytest.raises(InvalidInput, match=r"TMPDIR is .*No space left"):
        Spill().put([b"abc"])


# -- the same numbers --------------------------------------------------------------------------------------------------


@given(
    seed=st.integers(0, 999), scale=st.sampled_from([1e-9, 0.01, 1.0, 60.0]), weight=st.sampled_from([1, 7, 1 << 14])
)
@settings(max_examples=60, deadline=None)
def test_a_sum_in_fewer_passes_is_the_definition(seed: int, scale: float, weight: int) -> None:
    """Also where numbers are too large for the short way, and where most are zeros."""
    random, total = np.random.default_rng(seed), FixedSum(300, 64.0, 1 << 24)
    meant = np.zeros(300, np.int64)
    for share in (1.0, 0.02, 0.5):
        vector = np.clip(random.normal(0, scale, 300), -64, 64).astype(np.float32) * (random.random(300) < share)
        total.add(vector.astype(np.float32), weight)
        meant += np.rint(vector.astype(np.float64) * weight * 2.0**total.fraction).astype(np.int64)
        if share < 1:
            np.testing.assert_array_equal(total.total, meant)
    other = FixedSum(300, 64.0, 1 << 24)
    other.load_state_dict(total.state_dict())
    np.testing.assert_array_equal(other.total, meant)


@given(seed=st.integers(0, 99), share=st.sampled_from([1e-4, 0.03, 0.2, 0.5]), ties=st.booleans())
@settings(max_examples=20, deadline=None)
def test_the_largest_of_many_are_the_largest(seed: int, share: float, ties: bool) -> None:
    values = np.random.default_rng(seed).normal(size=LARGE + 1000 * seed).astype(np.float32)
    if ties:
        values = np.round(values)
    many = max(1, round(share * len(values)))
    chosen = largest(values, many)
    assert len(chosen) == many
    assert (np.diff(chosen) > 0).all()
    out = np.delete(np.abs(values), chosen)
    assert np.abs(values[chosen]).min() >= out.max()


@pytest.mark.parametrize("text", ["top:0.1+int4", "top:0.5+float32", "float32", "int8", "top:0.2+int8+deflate"])
def test_what_is_left_is_what_was_not_said(text: str) -> None:
    made_: Codec = codec(text)
    values = np.random.default_rng(1).normal(size=300).astype(np.float32)
    found = encoded(values, values[::-1].copy(), made_, ((300,),), 5, Draws(9))
    assert found.data == made_.encode(values + values[::-1], ((300,),), 5, Draws(9))
    np.testing.assert_array_equal(found.left, values + values[::-1] - made_.decode(found.data, ((300,),), 5))


# -- messages in parts -------------------------------------------------------------------------------------------------


def test_a_body_beside_its_top_is_the_same_message() -> None:
    head = {"run": "r", "task": 1, "client": name(0), "weight": 3, "loss": 0.5, "control": False, "have": -1}
    message = made("update", head, b"body", key(0))
    for sealed in (Sealed.of(message.packed()), Sealed.of(message.top, message.body)):
        found = sealed.opened(key(0).public, 4, message.digest if sealed.body is not None else None)
        assert (found.head, found.body, found.top) == (message.head, b"body", message.top)
        with pytest.raises(Refused, match="a body of 4 B"):
            sealed.opened(key(0).public, 3)
        with pytest.raises(Refused, match="not signed"):
            sealed.opened(key(0).public, 4, bytes(32))
    with pytest.raises(Refused):  # a top that is longer is no message
        Sealed.of(message.top + b"x", message.body).opened(key(0).public, 100)


def test_a_tasks_body_that_is_another_has_another_digest() -> None:
    head = {
        "run": "r", "task": 1, "client": name(0), "version": 0, "base": -1, "layout": "l", "window": 0,
        "down": "float32", "difference": False, "up": "float32", "seed": 1, "model_seed": 1, "local": {}, "taken": -1,
    }  # fmt: skip
    one, other = (made("task", head, body, SERVER) for body in (b"abcd", b"abce"))
    assert read(one.packed(), SERVER.public, 4).body == b"abcd"
    assert read(other.packed(), SERVER.public, 4).body == b"abce"
    with pytest.raises(Refused, match="not signed"):
        read(one.top + b"abce", SERVER.public, 4)
    with pytest.raises(Refused, match="not signed"):
        read(other.top + b"abcd", SERVER.public, 4)
