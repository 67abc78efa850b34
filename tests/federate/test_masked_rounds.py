"""Masked rounds in virtual time: sums are exact whoever is lost, and no end of a server or a device changes a bit."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from selvedge.federate.client.masking import Masking
from selvedge.federate.client.participant import Participant
from selvedge.federate.client.store import InMemory
from selvedge.federate.codec.masked import Maskable
from selvedge.federate.coordinator import Advanced, Event, Opened, Said
from selvedge.federate.course import Course
from selvedge.federate.federation import Federation
from selvedge.federate.grid.faults import Faults
from selvedge.federate.grid.grid import Delivery
from selvedge.federate.grid.virtual import Device, VirtualGrid
from selvedge.federate.masked import Masked
from selvedge.federate.masking.demands import Demands
from selvedge.federate.masking.terms import STAGES
from selvedge.federate.message import Message, made, read
from selvedge.federate.server import Server
from selvedge.learn.draws import Draws

from .grids import Cut
from .toward import LAYOUT, SERVER, Toward, World, key, name, publics

MOST = 1 << 20


def settings(**other: Any) -> Federation:
    given: dict[str, Any] = {
        "rounds": 2,
        "clients": 5,
        "deadline": 50.0,
        "patience": 0,
        "masked": Masked(members=3, stage=20.0),
    }
    return Federation("tried", **{**given, **other})


def finished(world: World, server: Server | None = None) -> Server:
    running = server or world.server()
    running.run(world.grid)
    running.close()
    return running


def silent(world: World, when: Callable[[int, Message], bool]) -> None:
    """Of device i, answers of which ``when`` says so do not arrive."""
    for i in range(len(world.points)):
        handle = world.participant(i).handle

        def heard(data: bytes, i: int = i, handle: Any = handle) -> Message | None:
            answer = handle(data)
            return None if answer is None or when(i, answer) else answer

        world.grid._devices[name(i)] = Device(heard, seconds=1.0)  # type: ignore[index]


def wanted(server: Server, world: World, survivors: list[int]) -> Any:
    """The model after one round from zeros of these, by what each said of its own change and nothing else."""
    s = server.coordinator.settings
    assert s.masked is not None
    step = min(s.local.rate, s.bound) / ((1 << (s.masked.bits - 1)) - 1)
    codec = Maskable(LAYOUT.size, 1.0, s.masked.bits, step, server.coordinator.seed(0))
    total = np.zeros(LAYOUT.size, np.int64)
    for i in survivors:
        change = np.float32(0.5) * world.points[i]
        values, _ = codec.encode(change, 0.0, Draws(world.participant(i)._own))
        total += values[: LAYOUT.size]
    return total * step / len(survivors)


@pytest.mark.parametrize("stage", STAGES)
def test_who_is_lost_at_a_stage_costs_the_others_nothing(stage: str, tmp_path: Path) -> None:
    """Two of five; and the sum is that of all whose input came, to the last bit."""
    world = World(settings(rounds=1), 5, tmp_path)
    silent(world, lambda i, answer: i in (1, 3) and answer.head["stage"] == stage)
    server = finished(world)
    survivors = [0, 2, 4] if STAGES.index(stage) <= STAGES.index("input") else [0, 1, 2, 3, 4]
    c = server.coordinator
    assert (c.phase, c.moved[0].changes, c.moved[0].failed) == ("done", len(survivors), ())
    assert sorted(c.last) == [name(i) for i in survivors]
    assert (c.model == wanted(server, world, survivors)).all()


@pytest.mark.parametrize("stage", STAGES)
def test_below_the_threshold_a_round_ends_by_name_and_shows_nothing(stage: str, tmp_path: Path) -> None:
    world = World(settings(rounds=1, patience=1), 5, tmp_path)
    silent(world, lambda i, answer: i < 3 and answer.head["stage"] == stage and answer.head["task"] < 2)
    events: list[Event] = []
    server = world.server()
    server.run(world.grid, events.append)
    server.close()
    c = server.coordinator
    assert (c.phase, c.version) == ("stopped", 0)
    assert f"2 of 5 answered {stage}, and 3 must" in c.why
    assert (c.model == 0).all()
    assert sum(isinstance(e, Opened) for e in events) == 2  # another round, with another number, was tried


def test_a_round_that_fails_is_given_up_and_the_next_one_is_whole(tmp_path: Path) -> None:
    world = World(settings(rounds=1, patience=1), 5, tmp_path)
    silent(world, lambda i, answer: i < 3 and answer.head["task"] == 0 and answer.head["stage"] == "unmask")
    server = finished(world)
    c = server.coordinator
    assert (c.phase, c.moved[0].changes, set(c.last.values())) == ("done", 5, {1})


@pytest.mark.parametrize(("masked", "first"), [({"threshold": "two-thirds"}, 6), ({"covered": 7}, 7)])
def test_a_sum_that_its_members_would_refuse_is_not_asked_for(masked: Any, first: int, tmp_path: Path) -> None:
    """All that a device was promised is held to by the server, too: of ``first`` who have something left one is lost,
    so that too few say it. No device has to refuse."""
    run = settings(
        clients=9, least=3, rounds=3, patience=1, up="seeded:0.5+int4", masked=Masked(4, members=9, **masked)
    )
    world = World(run, 9, tmp_path)
    silent(
        world,
        lambda i, answer: (
            (answer.head["task"] == 0 and i >= first)
            or (answer.head["task"] == 1 and i == 0 and answer.head.get("stage") == "input")
        ),
    )
    server, failed = world.server(), list[str]()

    def heard(event: Event) -> None:
        if server.coordinator.round is not None:
            failed.extend(why for why in server.coordinator.round.failed if why not in failed)

    server.run(world.grid, heard)
    server.close()
    why = f"input: what earlier rounds left is of {first - 1}, and {first} must have it"
    assert failed == [f"group 0 of task 1: {why}"]
    assert not server.refused
    assert (server.coordinator.phase, server.coordinator.version) == ("done", 3), server.coordinator.why


def test_a_group_that_fails_is_dropped_and_named(tmp_path: Path) -> None:
    run = settings(rounds=1, clients=8, masked=Masked(members=3, group=4, stage=20.0))
    world = World(run, 8, tmp_path)
    seen: dict[str, int] = {}

    def lost(i: int, answer: Message) -> bool:
        """Three of the group of device 0."""
        group = server.coordinator.round
        assert group is not None
        mine = group.members(0) if name(0) in group.members(0) else group.members(1)
        seen[name(i)] = group.members(0) == mine
        return name(i) in mine[:3] and answer.head["stage"] == "input"

    silent(world, lost)
    server, course = world.server(), Course()

    def heard(event: Event) -> None:
        course.heard(event, world.grid.now())
        if server.coordinator.version > len(course.moves):
            course.moved(server.coordinator, 0, 0, None)

    server.run(world.grid, heard)
    server.close()
    c = server.coordinator
    assert (c.phase, c.moved[0].changes) == ("done", 4)
    assert len(c.moved[0].failed) == 1
    assert "1 of 4 answered input, and 3 must" in c.moved[0].failed[0]
    assert (course.moves[0].asked, course.moves[0].changes, course.moves[0].lost) == (8, 4, 4)
    assert course.moves[0].failed == c.moved[0].failed
    assert sum(seen.taken for seen in course.devices.values()) == 4
    assert Course.of(course.to_dict()) == course
    assert (c.model == wanted(server, world, sorted(int(n[-3:]) for n in c.last))).all()


def test_killed_at_every_event_it_comes_to_the_same_bits(tmp_path: Path) -> None:
    """A server is never asked to unmask another set of a round that it had begun to unmask: devices would refuse."""
    run = settings(rounds=2, clients=4, up="seeded:0.5+int4")
    whole = finished(World(run, 4, tmp_path / "whole"))
    for cut in range(1, 100):
        world, left, refused, ended = World(run, 4, tmp_path / str(cut)), cut, Counter[str](), False
        while not ended:
            server = world.server()
            world.grid._now += 1000.0  # longer than any stage may take: who is away is the server

            def heard(event: Event) -> None:
                nonlocal left
                left -= 1
                if left == 0:
                    raise Cut

            try:
                server.run(world.grid, heard)
                ended = True
            except Cut:
                continue
            finally:
                server.close()
                refused += server.refused
        c = server.coordinator
        assert (c.phase, [m.changes for m in c.moved]) == ("done", [4, 4]), cut
        assert c.model.tobytes() == whole.coordinator.model.tobytes(), cut
        assert c.shown.vector.tobytes() == whole.coordinator.shown.vector.tobytes(), cut
        assert not any("cannot" in why for why in refused), (cut, refused)
        if left > 0:
            break
    assert 40 < cut < 99, "events of two rounds"


def copied(state: tuple[dict[str, Any], dict[str, Any]]) -> tuple[dict[str, Any], dict[str, Any]]:
    head, arrays = state
    return json.loads(json.dumps(head)), {n: a.copy() for n, a in arrays.items()}


def test_a_snapshot_in_the_middle_of_a_round_is_gone_on_from(tmp_path: Path) -> None:
    """Of every event: what the coordinator says of itself is all that another one needs."""
    run = settings(rounds=1, clients=8, masked=Masked(members=3, group=4), over=1.0)
    world = World(run, 8, tmp_path / "whole")
    server, kept = world.server(), list[Any]()
    server.run(world.grid, lambda event: kept.append((event, copied(server.coordinator.state()))))
    server.close()
    assert any(isinstance(event, Advanced) for event, _ in kept)
    for start in range(1, len(kept), 5):
        again = World(run, 8, tmp_path / f"from{start}").server()
        again.close()
        again.coordinator.load(*kept[start - 1][1])
        for event, (head, arrays) in kept[start:]:
            again.coordinator.apply(event)
            there_head, there = copied(again.coordinator.state())
            assert there_head == head
            assert {n: a.tobytes() for n, a in there.items()} == {n: a.tobytes() for n, a in arrays.items()}


def test_devices_that_crash_come_back_with_what_they_had_left(tmp_path: Path) -> None:
    """Error feedback too: with crashes, but nobody lost, the model has the bits of a run without."""
    run = settings(rounds=4, clients=4, up="seeded:0.5+int4", deadline=500.0, masked=Masked(members=3, stage=500.0))
    whole = finished(World(run, 4, tmp_path / "whole")).coordinator
    world = World(run, 4, tmp_path / "crashing", seed=0, faults=Faults(crash=0.3, late=5.0))
    found = finished(world).coordinator
    assert world.grid.counted["crash"] > 5
    assert [m.changes for m in found.moved] == [4] * 4
    assert found.model.tobytes() == whole.model.tobytes()


def test_under_mixed_faults_it_goes_on_and_no_sum_is_another(tmp_path: Path) -> None:
    run = settings(rounds=6, clients=8, patience=20, masked=Masked(members=3, group=4, stage=30.0), deadline=60.0)
    bad = Faults(drop=0.02, duplicate=0.1, corrupt=0.02, delay=0.1, crash=0.03, lose=0.2, late=20.0)
    world = World(run, 10, tmp_path, seed=3, faults=bad)
    server = finished(world)
    c = server.coordinator
    assert c.phase == "done", c.why
    middle = world.points.mean(0)
    assert np.abs(c.model - middle).mean() < 0.5 * np.abs(middle).mean()
    assert world.grid.counted["duplicate"]
    assert all(np.isfinite(m.loss) and 0 < m.loss < 10 for m in c.moved)


class Doubling(VirtualGrid):
    """Everything that came is said again, late: at the first answer to every stage the whole of the one before."""

    before: list[bytes]
    now_: list[bytes]
    stage = ""
    queue: list[bytes]

    def receive(self, until: float) -> Delivery | None:
        if self._held is None and self.queue:
            self._held = Delivery(self.queue.pop(0))
            return self._held
        fresh = self._held is None
        found = super().receive(until)
        if found is not None and fresh:
            answer = read(found.data, publics(5)[_client(found.data)], MOST)
            if answer.head["stage"] != self.stage:
                self.stage, self.queue, self.now_ = answer.head["stage"], list(self.now_), []
            self.now_.append(found.data)
        return found


def _client(data: bytes) -> str:
    from selvedge.federate.message import whose

    return whose(data)


def test_late_and_stale_answers_of_stages_are_refused(tmp_path: Path) -> None:
    run = settings(rounds=2, clients=5)
    whole = finished(World(run, 5, tmp_path / "whole"))
    world = World(run, 5, tmp_path / "doubled")
    grid = Doubling(world.grid._devices, 0)
    grid.now_, grid.queue = [], []
    world.grid = grid
    server = finished(world)
    assert server.coordinator.model.tobytes() == whole.coordinator.model.tobytes()
    assert server.refused["of a stage that is over"] + server.refused["of a task that is over"] >= 5 * 9 - 5


# -- what a device refuses, whatever the server says ----------------------------------------------------------------


def device(demands: Demands | None = None, masked: bool = True) -> Participant:
    masking = Masking.among(publics(5), demands) if masked else None
    return Participant(name(0), key(0), SERVER.public, Toward(np.zeros(LAYOUT.size)), InMemory(), 0, masking)


def asked_first(tmp_path: Path, run: Federation) -> dict[str, bytes]:
    """What a server asks each device first."""
    world, sent = World(run, 5, tmp_path), dict[str, bytes]()
    server = world.server()

    class Halt(Exception):
        pass

    def send(client: str, message: Message) -> None:
        sent[client] = message.packed()
        if len(sent) == 5:
            raise Halt

    world.grid.send = send  # type: ignore[method-assign]
    with pytest.raises(Halt):
        server.run(world.grid)
    server.close()
    return sent


def why(answer: Message | None) -> str:
    assert answer is not None
    assert answer.kind == "refusal"
    assert not answer.body
    text: str = answer.head["why"]
    return text


def test_a_device_that_joined_as_masked_never_sends_a_change_by_itself(tmp_path: Path) -> None:
    task = asked_first(tmp_path, settings(masked=None))[name(0)]
    assert read(task, SERVER.public, MOST).kind == "task"
    one = device()
    assert "an unmasked task" in why(one.handle(task))
    assert one._trainer.asked == 0  # type: ignore[attr-defined]
    plain = device(masked=False).handle(task)
    assert plain is not None
    assert plain.kind == "update"


def test_a_device_that_did_not_is_not_asked_by_halves(tmp_path: Path) -> None:
    ask = asked_first(tmp_path, settings())[name(0)]
    assert "as one that is not" in why(device(masked=False).handle(ask))


@pytest.mark.parametrize(
    ("demands", "said"),
    [
        (Demands(members=6), "a group of 5 members where 6 are the least"),
        (Demands(colluders=True), "a threshold of 3 of 5 members where 4 is the least"),
    ],
)
def test_a_device_demands_more_than_the_server_grants(demands: Demands, said: str, tmp_path: Path) -> None:
    ask = asked_first(tmp_path, settings())[name(0)]
    assert why(device(demands).handle(ask)) == said


def test_stages_of_rounds_that_were_not_begun(tmp_path: Path) -> None:
    ask = read(asked_first(tmp_path, settings())[name(0)], SERVER.public, MOST)
    for stage in STAGES[1:]:
        if stage != "input":
            later = made("ask", {**ask.head, "stage": stage}, b"", SERVER)
            assert "has not begun" in why(device().handle(later.packed()))
    assert "no stage" in why(device().handle(made("ask", {**ask.head, "stage": "input"}, b"", SERVER).packed()))
    other = made("ask", {**ask.head, "task": 7}, ask.body, SERVER)
    assert "terms of another round" in why(device().handle(other.packed()))


def test_the_same_ask_has_the_same_answer_and_an_older_one_none(tmp_path: Path) -> None:
    data = asked_first(tmp_path, settings())[name(0)]
    one = device()
    first, again = one.handle(data), one.handle(data)
    assert first is not None
    assert again is not None
    assert first.packed() == again.packed()
    ask = read(data, SERVER.public, MOST)
    text = ask.body.decode()
    next_ = made("ask", {**ask.head, "task": 1}, text.replace('"task":0', '"task":1').encode(), SERVER)
    assert one.handle(next_.packed()) is not None
    assert one.handle(data) is None


def test_another_model_than_was_agreed_on_is_not_learnt_from(tmp_path: Path) -> None:
    """Told to all by its digest, sent to one as something else: equivocation."""
    world = World(settings(rounds=1), 5, tmp_path)
    server = world.server()
    work = server._work

    def other(client: str) -> tuple[dict[str, Any], bytes]:
        head, body = work(client)
        return head, body if client != name(2) else (np.frombuffer(body, "<f4") + np.float32(1e-3)).tobytes()

    server._work = other  # type: ignore[method-assign]
    finished(world, server)
    assert server.refused["the device cannot: not the model that the terms name"] == 1
    assert name(2) not in server.coordinator.last
    assert server.coordinator.moved[0].changes == 4


def test_other_steps_than_were_agreed_on_are_not_taken(tmp_path: Path) -> None:
    """Were the others asked for steps of rate 0, the sum would be one device's change."""
    world = World(settings(rounds=1), 5, tmp_path)
    server = world.server()
    work = server._work

    def other(client: str) -> tuple[dict[str, Any], bytes]:
        head, body = work(client)
        return (head if client != name(2) else {**head, "local": {**head["local"], "rate": 1e-9}}), body

    server._work = other  # type: ignore[method-assign]
    finished(world, server)
    assert server.refused["the device cannot: other steps than those that this group agreed on"] == 1
    assert name(2) not in server.coordinator.last


def test_what_leaves_a_device_says_neither_samples_nor_loss(tmp_path: Path) -> None:
    said: list[Message] = []
    world = World(settings(rounds=1), 5, tmp_path)
    silent(world, lambda i, answer: said.append(answer) or False)
    events: list[Event] = []
    server = world.server()
    server.run(world.grid, events.append)
    server.close()
    assert Counter(m.head["stage"] for m in said) == dict.fromkeys(STAGES, 5)
    assert {tuple(m.head) for m in said} == {("run", "task", "client", "stage", "have")}
    assert sum(isinstance(e, Said) for e in events) == 25
    # The loss is known of all together: that of the devices where the model was zeros.
    losses = [float(np.square(p).mean()) for p in world.points]
    assert server.coordinator.moved[0].loss == pytest.approx(np.mean(losses), abs=2**-12)
