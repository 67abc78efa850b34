"""Our grid behind Flower, over a link that does what a test says: who is asked what and when, and what is believed."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selvedge.errors import InvalidInput
from selvedge.federate.flower_record import HELLO, TASK
from selvedge.federate.grid.flower import LATER, FlowerGrid
from selvedge.federate.grid.flower_link import Reply
from selvedge.federate.message import Message, made, read, whose

from .toward import DEVICES, SERVER, key, name

AGAIN = 100.0


class Wire:
    """``online``: node -> when it came. pushed: (second, node, kind, data), by id. ``coming``: what is pulled next."""

    def __init__(self) -> None:
        self.online: dict[int, str] = {}
        self.pushed: dict[str, tuple[float, int, str, bytes | None]] = {}
        self.coming: list[Reply] = []
        self.taken, self.now = True, 0.0

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def nodes(self) -> Mapping[int, str]:
        return dict(self.online)

    def push(self, node: int, kind: str, data: bytes | None, ttl: float) -> str:
        assert node in self.online, "a message to a node that is not there"
        assert ttl == AGAIN
        if not self.taken:
            return ""
        self.pushed[str(len(self.pushed))] = self.now, node, kind, data
        return str(len(self.pushed) - 1)

    def pull(self, ids: Iterable[str]) -> Iterator[Reply]:
        coming, self.coming = self.coming, []
        yield from coming

    def last(self) -> tuple[str, int, str, bytes | None]:
        number = str(len(self.pushed) - 1)
        return number, *self.pushed[number][1:]


class Case:
    def __init__(self, **other: Any) -> None:
        self.wire, self.said = Wire(), list[str]()
        self.grid = FlowerGrid(
            self.wire, DEVICES, "tried", 10_000, again=AGAIN, pause=1.0, log=self.said.append, clock=self.wire.clock,
            sleep=self.wire.sleep, **other,
        )  # fmt: skip

    def look(self, seconds: float = 1.0) -> bytes | None:
        """What is received within so many seconds."""
        end = self.grid.now() + seconds
        while self.grid.now() < end - 1e-9:
            found = self.grid.receive(end)
            if found is not None:
                return found.data
        return None

    def joined(self, i: int, node: int, now: float = 1.0) -> None:
        """Device ``i``, on a node that is new."""
        self.wire.online[node] = "first"
        self.look()
        number, at, kind, data = self.wire.last()
        assert (at, kind, data) == (node, HELLO, None)
        self.wire.coming.append(Reply(number, poll(i, now)))
        self.look()

    def asked(self, i: int, task: int = 0) -> str:
        """It is sent a task; the id of its message."""
        self.grid.send(name(i), of_task(i, task))
        number, _, kind, data = self.wire.last()
        assert (kind, data) == (TASK, of_task(i, task).packed())
        return number


def poll(i: int, now: float = 1.0, by: int | None = None, run: str = "tried") -> bytes:
    return made("poll", {"run": run, "client": name(i), "now": now}, b"", key(i if by is None else by)).packed()


def of_task(i: int, task: int) -> Message:
    head = {"run": "tried/1", "task": task, "client": name(i), "version": 0, "base": -1, "layout": "", "window": 0,
            "down": "float32", "difference": False, "up": "int8", "seed": 1, "model_seed": 1, "local": {},
            "taken": -1}  # fmt: skip
    return made("task", head, b"model", SERVER)


def update(i: int, task: int = 0, by: int | None = None, size: int = 9, run: str = "tried/1") -> bytes:
    head = {"run": run, "task": task, "client": name(i), "weight": 1, "loss": 0.5, "control": False, "have": -1}
    return made("update", head, bytes(size), key(i if by is None else by)).packed()


def test_a_node_is_asked_once_who_it_is_and_is_there_while_it_is_online() -> None:
    case = Case(parts={name(1): "small"})
    case.joined(0, 7)
    case.joined(1, 8)
    assert dict(case.grid.here()) == {name(0): "", name(1): "small"}
    case.look(5 * AGAIN)
    assert len(case.wire.pushed) == 2
    del case.wire.online[7]
    case.look()
    assert dict(case.grid.here()) == {name(1): "small"}
    case.wire.online[7] = "again"
    case.look()
    assert len(case.grid.here()) == 2
    assert len(case.wire.pushed) == 2, "who it is is known"


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (poll(0, by=1), "not signed by who it says it is of"), (poll(9, by=9), "of nobody who is known here"),
        (poll(0, run="other"), "no poll of tried, or an old one"), (update(0), "at most 0 are due"),
        (b"hello", "no message of this format"), (bytes(20_000), "a message of 20,000 B where at most 10,000"),
        (None, "nothing to say to a query"),
    ],
)  # fmt: skip
def test_who_does_not_say_who_it_is_is_asked_later_and_later(said: bytes | None, why: str) -> None:
    case = Case()
    case.wire.online[7] = "first"
    for _ in range(12):
        count = len(case.wire.pushed)
        while len(case.wire.pushed) == count:
            case.look()
        case.wire.coming.append(Reply(case.wire.last()[0], said))
    assert not case.grid.here()
    times = [at for at, *_ in case.wire.pushed.values()]
    waits = [b - a for a, b in pairwise(times)]
    assert waits == sorted(waits)
    assert waits[0] <= 3
    assert all(LATER <= wait <= LATER + 2 for wait in waits[-4:])
    assert why in case.said[0]
    assert bool(case.grid.refused) == (said is not None)
    case.wire.coming = [Reply(case.wire.last()[0], poll(0))]
    case.look()
    assert set(case.grid.here()) == {name(0)}


def test_a_poll_that_somebody_caught_takes_no_device_elsewhere() -> None:
    case = Case()
    case.joined(0, 7, now=5.0)
    case.joined(0, 8, now=5.0)
    case.asked(0)
    assert case.wire.last()[1] == 7
    assert case.grid.refused == {"no poll of tried, or an old one": 1}


def test_a_device_that_is_elsewhere_is_asked_there() -> None:
    case = Case()
    case.joined(0, 7, now=5.0)
    before = case.asked(0)
    case.joined(0, 8, now=6.0)
    case.look()
    number, node, kind, _ = case.wire.last()
    assert (node, kind) == (8, TASK)
    case.wire.coming = [Reply(before, update(0))]
    assert case.look() is None, "an answer to a message that is given up"
    case.wire.coming = [Reply(number, update(0))]
    assert case.look() == update(0)


def test_a_task_is_pushed_again_when_its_node_is_lost_or_silent_or_it_was_not_taken() -> None:
    case = Case()
    case.joined(0, 7)
    case.asked(0)
    count = len(case.wire.pushed)
    case.look(AGAIN - 5)
    assert len(case.wire.pushed) == count
    case.look(10)
    assert len(case.wire.pushed) == count + 1  # silence
    case.wire.online[7] = "second"
    case.look()
    assert len(case.wire.pushed) == count + 2  # it is another process
    del case.wire.online[7]
    case.look(2 * AGAIN)
    assert len(case.wire.pushed) == count + 2  # nobody is there
    case.wire.taken = False
    case.wire.online[7] = "third"
    case.look(5)
    case.wire.taken = True
    case.look(2)
    assert len(case.wire.pushed) == count + 3
    case.wire.coming = [Reply(case.wire.last()[0], None, "the app ended")]
    case.look()
    assert case.said == ["SuperNode 7: the app ended"]
    case.look(3)
    assert len(case.wire.pushed) == count + 4
    case.wire.coming = [Reply(case.wire.last()[0], update(0))]
    assert case.look() == update(0)


def test_a_task_of_a_device_that_has_not_come_waits_for_it() -> None:
    case = Case()
    case.grid.send(name(0), of_task(0, 3))
    case.look(3)
    assert not case.wire.pushed
    case.joined(0, 7)
    case.look()
    assert case.wire.last()[2:] == (TASK, of_task(0, 3).packed())


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (update(0, by=1), "not signed by who it says it is of"), (update(1), "an answer to another task"),
        (update(0, task=4), "an answer to another task"), (update(0, run="tried/0"), "an answer to another task"),
        (update(0, size=20_000), "where at most 10,000 are due"), (poll(0), "a poll where an update is due"),
        (of_task(0, 0).packed(), "not signed by"), (None, "nothing to say to a train"),
    ],
)  # fmt: skip
def test_what_is_no_answer_is_refused_and_asked_for_again(said: bytes | None, why: str) -> None:
    case = Case()
    case.joined(0, 7)
    case.wire.coming = [Reply(case.asked(0), said)]
    assert case.look() is None
    assert why in case.said[-1]
    count = len(case.wire.pushed)
    case.look(3)
    assert len(case.wire.pushed) == count + 1
    case.wire.coming = [Reply(case.wire.last()[0], update(0))]
    assert case.look() == update(0)


def test_a_delivery_comes_until_it_is_done_and_what_was_withdrawn_does_not() -> None:
    case = Case()
    case.joined(0, 7)
    case.joined(1, 8)
    first, second = case.asked(0), case.asked(1)
    case.wire.coming = [Reply(first, update(0)), Reply("999", update(1)), Reply(first, update(0))]
    assert [case.look(), case.look()] == [update(0)] * 2
    found = case.grid.receive(case.grid.now())
    assert found is not None
    case.grid.done(found)
    assert case.look() is None
    case.grid.withdraw(name(1))
    case.wire.coming = [Reply(second, update(1))]
    assert case.look(5) is None
    before = case.asked(1, task=1)
    after = case.asked(1, task=2)  # in the place of that
    case.wire.coming = [Reply(before, update(1, task=1)), Reply(after, update(1, task=2))]
    assert case.look() == update(1, task=2)


def test_nobody_turns_its_clock_back_and_seconds_that_are_none_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    grid = FlowerGrid(Wire(), {}, "tried", 100)
    before = grid.now()
    assert abs(before - time.time()) < 60
    monkeypatch.setattr(time, "time", lambda: 0.0)
    assert grid.now() >= before
    for again, pause in ((0.0, 1.0), (float("nan"), 1.0), (1.0, -1.0), (1.0, float("nan"))):
        with pytest.raises(InvalidInput, match="again, pause is"):
            FlowerGrid(Wire(), {}, "tried", 100, again=again, pause=pause)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from(["answer", "error", "lost", "forged", "died", "nothing", "offline"]), max_size=25))
def test_whatever_happens_each_task_is_heard_once_and_the_last(happens: list[str]) -> None:
    """Each message meets what is next in the list; when the list is over all are answered."""
    case = Case()
    for i in range(3):
        case.joined(i, 10 + i)
    given_, met, gone = iter(happens), set(case.wire.pushed), dict[int, float]()
    tasks, heard = [0, 0, 0], list[tuple[int, int]]()
    for i in range(3):
        case.grid.send(name(i), of_task(i, 0))
    for _ in range(20_000):
        for number, (_, node, kind, data) in list(case.wire.pushed.items()):
            if number in met or kind != TASK:
                continue
            met.add(number)
            assert data is not None
            i, task = node - 10, read(data, SERVER.public, 100).head["task"]
            what = next(given_, "answer")
            if what == "answer":
                case.wire.coming.append(Reply(number, update(i, task)))
            elif what in ("error", "nothing"):
                case.wire.coming.append(Reply(number, None, "failed" if what == "error" else ""))
            elif what == "forged":
                case.wire.coming.append(Reply(number, update(i, task, by=(i + 1) % 3)))
            elif what in ("died", "offline"):
                gone[node] = case.wire.now + (1 if what == "died" else 50)
                case.wire.online.pop(node, None)
        for node, at in list(gone.items()):
            if case.wire.now >= at:
                case.wire.online[node] = str(at)
                del gone[node]
        found = case.grid.receive(case.grid.now() + 1)
        if found is not None:
            i = int(whose(found.data)[-3:])
            heard.append((i, tasks[i]))
            assert found.data == update(i, tasks[i])
            case.grid.done(found)
            tasks[i] += 1
            if tasks[i] < 4:
                case.grid.send(name(i), of_task(i, tasks[i]))
        if tasks == [4, 4, 4]:
            break
    assert sorted(heard) == [(i, t) for i in range(3) for t in range(4)]
