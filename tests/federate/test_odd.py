"""What a device, a server or a setting that is not as it should be does to the others: nothing."""

from __future__ import annotations

import json
import struct
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from selvedge.errors import InvalidInput
from selvedge.federate.client.participant import Participant
from selvedge.federate.client.store import InMemory
from selvedge.federate.codec.named import codec
from selvedge.federate.coordinator import Closed, Coordinator, Opened, Taken, Void
from selvedge.federate.cover import widths
from selvedge.federate.federation import Federation
from selvedge.federate.grid.grid import Delivery
from selvedge.federate.keys import Key
from selvedge.federate.layout import Layout
from selvedge.federate.local import Local
from selvedge.federate.message import Message, Refused, made, read
from selvedge.federate.shown import Shown
from selvedge.federate.shown import read as shown_read

from .toward import LAYOUT, SERVER, Toward, World, key, name

UPDATE = {"run": "tried", "task": 0, "client": name(0), "weight": 5, "loss": 0.5, "control": False, "have": -1}


def federation(**other: Any) -> Federation:
    return Federation("tried", **{"rounds": 3, "clients": 4, "deadline": 50.0, **other})


def signed(head: list[Any], by: Key, text: str | None = None) -> bytes:
    text = text or json.dumps(head)
    top = struct.pack("<3sH", b"SV1", len(text)) + text.encode()
    return top + by.sign(top + sha256(b"").digest())


class Loud:
    """A grid that hands the server what devices of ``odd`` say, before each of its own messages."""

    def __init__(self, world: World, odd: list[bytes]) -> None:
        self.grid, self.odd, self.said = world.grid, odd, 0
        self.now, self.here, self.send = world.grid.now, world.grid.here, world.grid.send
        self.withdraw, self.done = world.grid.withdraw, world.grid.done

    def receive(self, until: float) -> Any:
        if self.said < len(self.odd):
            self.said += 1
            return Delivery(self.odd[self.said - 1])
        return self.grid.receive(until)


def test_no_message_that_a_device_can_sign_ends_a_run(tmp_path: Path) -> None:
    world = World(federation(), 4, tmp_path)
    poll = made("poll", {"run": "tried", "client": name(0), "now": 1.0}, b"", key(0))
    task = {"run": "tried", "task": 0, "client": name(0), "version": 0, "base": -1, "layout": "", "window": 0,
            "down": "int8", "difference": False,
            "up": "int8", "seed": 1, "model_seed": 1, "local": {}, "taken": -1}  # fmt: skip
    text = json.dumps(["update", *UPDATE.values()])
    odd = [
        poll.packed(), made("task", task, b"", SERVER).packed(), b"", b"x" * 500,
        signed([], key(0), text.replace("0.5", "9" * 400)), signed([], key(0), text.replace("0.5", "1e999")),
        made("update", UPDATE, b"short", key(0)).packed(),
        made("update", {**UPDATE, "weight": 1 << 40}, b"", key(1)).packed(),
    ]  # fmt: skip
    server = world.server()
    server.run(Loud(world, odd))
    server.close()
    assert server.coordinator.phase == "done"
    assert sum(server.refused.values()) >= len(odd)
    assert len(world.log) == sum(server.refused.values())


@pytest.mark.parametrize("text", ["9" * 400, "1e999", "-1e999", "NaN", "true", '"1"', "[1]"])
def test_losses_that_are_no_numbers(text: str) -> None:
    sent = json.dumps(["update", *UPDATE.values()]).replace("0.5", text)
    with pytest.raises(Refused):
        read(signed([], key(0), sent), key(0).public, 0)


def test_an_answer_that_cannot_be_used_does_not_hold_the_round(tmp_path: Path) -> None:
    world = World(federation(rounds=1, clients=3, least=2, bound=1.0), 3, tmp_path)
    for trainer, value in zip(world.trainers, (1e6, 0, 1), strict=True):
        trainer.point = np.full(17, value, np.float32)
    server = world.server()
    server.run(world.grid)
    server.close()
    assert server.coordinator.phase == "done"
    assert server.coordinator.moved[0].changes == 2
    assert world.grid.now() < 50
    assert list(server.refused) == ["a change beyond N or no number"]


def test_why_a_device_could_not_is_told(tmp_path: Path) -> None:
    world = World(federation(least=1, clients=3), 3, tmp_path)
    world.trainers[0].cannot = "labels 7 and 9 are no classes"
    server = world.server()
    server.run(world.grid)
    server.close()
    assert server.refused["the device cannot: labels N and N are no classes"] == 3
    assert any("labels 7 and 9" in line for line in world.log)


def task(local: Any, up: str = "float32", **other: Any) -> bytes:
    head = {
        "run": "tried", "task": 4, "client": name(0), "version": 0, "base": -1, "layout": LAYOUT.digest, "window": 0,
        "down": "float32",
        "difference": False, "up": up, "seed": 1, "model_seed": 1, "local": local, "taken": -1, **other,
    }  # fmt: skip
    return made("task", head, np.zeros(17, "<f4").tobytes(), SERVER).packed()


GOOD = {"epochs": 1, "rate": 0.1, "mu": 0.0, "scaffold": False}


@pytest.mark.parametrize(
    "sent",
    [
        task({"epoch": 1}), task({**GOOD, "epochs": 0}), task({**GOOD, "epochs": -3}), task({**GOOD, "epochs": "x"}),
        task({**GOOD, "rate": [1]}), task({**GOOD, "rate": None}), task({**GOOD, "mu": "x"}), task({**GOOD, "more": 1}),
        task({**GOOD, "scaffold": 1}), task(GOOD, "int8" + "+deflate" * 5000), task(GOOD, "int9"),
        task(GOOD, layout="other"), task(GOOD, base=3, difference=True), task({**GOOD, "scaffold": True}),
        task({**GOOD, "rate": 10**400}), task({**GOOD, "mu": 10**400}),
    ],
)  # fmt: skip
def test_a_device_refuses_an_odd_task_and_does_the_next(sent: bytes) -> None:
    device = Participant(name(0), key(0), SERVER.public, Toward(np.ones(17)), InMemory())
    answer = device.handle(sent)
    assert isinstance(answer, Message)
    assert answer.kind == "refusal"
    again = device.handle(task(GOOD))
    assert isinstance(again, Message)
    assert again.kind == "update"


def test_a_device_says_nothing_that_is_no_number() -> None:
    device = Participant(name(0), key(0), SERVER.public, Toward(np.full(17, np.inf)), InMemory())
    answer = device.handle(task(GOOD))
    assert answer is not None
    assert answer.kind == "refusal"


def test_devices_round_by_lots_of_their_own() -> None:
    sent = set()
    for i in range(6):
        device = Participant(name(i), key(i), SERVER.public, Toward(np.linspace(0, 1, 17)), InMemory())
        answer = device.handle(task(GOOD, "int4", client=name(i)))
        assert answer is not None
        sent.add(answer.body)
    assert len(sent) == 6


SETTINGS: dict[str, dict[str, Any]] = {
    "krum of too few": {"rule": "krum", "robust": {"liars": 1}, "least": 4},
    "krum that keeps too many": {"rule": "krum", "robust": {"liars": 0, "keep": 9}, "least": 4},
    "trimmed without a share": {"rule": "trimmed"},
    "a share of half": {"rule": "trimmed", "robust": {"share": 0.5}},
    "a median with a share": {"rule": "median", "robust": {"share": 0.1}},
    "no mapping": {"rule": "median", "robust": None},
    "most of the model left out": {"down": "top:0.1+int8"},
    "a large seed": {"seed": 1 << 70},
    "a large bound": {"bound": 2.0**31},
    "no optimiser": {"optimizer": None},
    "a difference by name": {"difference": "no"},
    "no name": {"name": 3},
}


@pytest.mark.parametrize("given", SETTINGS)
def test_settings_that_would_end_a_run_later_are_refused_now(given: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        Federation(**{"name": "tried", "rounds": 3, "clients": 4, **SETTINGS[given]})
    assert "\n" not in str(refused.value)


def test_parts_are_added_up_by_the_mean_only() -> None:
    covers = {"small": widths(Layout({"a": (4, 3)}), Layout({"a": (2, 3)}))}
    with pytest.raises(InvalidInput, match="rule is median"):
        Coordinator(federation(rule="median"), Layout({"a": (4, 3)}), np.zeros(12, np.float32), covers)


@pytest.mark.parametrize(
    "other",
    [{"rule": "krum", "robust": {"liars": 1}, "clients": 5, "least": 5}, {"rule": "trimmed", "robust": {"share": 0.3}}],
)
def test_every_rule_ends_a_run(other: dict[str, Any], tmp_path: Path) -> None:
    world = World(federation(**other), 5, tmp_path)
    server = world.server()
    server.run(world.grid)
    server.close()
    assert server.coordinator.phase == "done"


def coordinator(**other: Any) -> Coordinator:
    return Coordinator(federation(**other), LAYOUT, np.zeros(17, np.float32))


def takes(c: Coordinator, client: str, value: float, control: float | None = None) -> None:
    change = np.full(17, value, np.float32)
    variate = None if control is None else np.full(17, control, np.float32)
    c.apply(Taken(client, c.busy[client].task, 1, 0.5, change, variate))


def test_what_a_round_dropped_was_not_taken() -> None:
    c = coordinator(least=3)
    c.apply(Opened(0.0, {name(i): "" for i in range(4)}, 4))
    takes(c, name(0), 1.0)
    takes(c, name(1), 1.0)
    c.apply(Void(50.0))
    assert not c.last
    c.apply(Opened(50.0, {name(i): "" for i in range(4)}, 4))
    for i in range(3):
        takes(c, name(i), 2.0)
    c.apply(Closed(60.0))
    assert c.last == {name(i): 1 for i in range(3)}
    assert c.model.tolist() == [2.0] * 17


def test_buffered_few_answers_wait_for_more_and_a_device_has_one_vote() -> None:
    c = coordinator(mode="buffered", least=2)
    c.apply(Opened(0.0, {name(0): "", name(1): ""}, 4))
    takes(c, name(0), 1.0)
    c.apply(Void(40.0))
    assert set(c.taken) == {name(0)}
    due = c.due(41.0, lambda: {name(i): "" for i in range(3)})
    assert isinstance(due, Opened)
    assert set(due.asked) == {name(2)}  # one is busy, and one was heard


def test_an_old_answer_weighs_less() -> None:
    c = coordinator(mode="buffered", clients=1, fade=0.5)
    c.apply(Opened(0.0, {name(i): "" for i in range(3)}, 3))
    for i in range(3):
        weighs = round(2560 * (1 + i) ** -0.5)
        assert c.check(Taken(name(i), 0, 10, 0.0, np.zeros(17, np.float32)))[:2] == (weighs, 2560)
        takes(c, name(i), 1.0)
        c.apply(Closed(1.0))
    # The paper's sum is divided by K, not by what the faded ones weigh: an old answer moves the model less.
    np.testing.assert_allclose(c.model, sum((1 + i) ** -0.5 for i in range(3)), atol=0.01)


def test_scaffold_divides_by_all_devices_that_there_are() -> None:
    """c <- c + |S| / N times the mean over S of what their own variates changed by."""
    c = coordinator(local=Local(scaffold=True))
    due = c.due(0.0, lambda: {name(i): "" for i in range(4)}, 100)
    assert due is not None
    c.apply(due)
    opened = c.due(0.0, lambda: {name(i): "" for i in range(4)}, 100)
    assert isinstance(opened, Opened)
    c.apply(opened)
    for i in range(4):
        takes(c, name(i), 0.0, control=1.0 + i)
    c.apply(Closed(1.0))
    assert c.control is not None
    np.testing.assert_allclose(c.control, 4 / 100 * 2.5)


@pytest.mark.parametrize("down", ["seeded:0.25+float32", "rank:1+float32", "top:0.1+float32", "sign"])
def test_differences_say_the_whole_model_in_the_end(down: str) -> None:
    shapes = ((10, 12), (7,))
    goal = np.random.default_rng(0).normal(size=127)
    sent = Shown(np.zeros(127, np.float32), codec(down), shapes, True, 16, 3)
    mine = sent.vector

    def change() -> float:
        return float(np.abs(sent.vector - goal).mean())

    began = change()
    for _ in range(80):
        sent.move(goal)
        base, body = sent.body(sent.version - 1)
        mine = shown_read(base, body, mine, True, codec(down), shapes, 3)
        assert mine.tobytes() == sent.vector.tobytes()
    assert change() < 0.15 * began
