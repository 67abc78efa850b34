"""Members that end the rounds of their groups: each is named, by what it signed or by whom it wronged, and left out;
and the run goes on to its end without it."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selvedge.face.federating.report import Report
from selvedge.federate.coordinator import Gone
from selvedge.federate.course import Course
from selvedge.federate.federation import Federation
from selvedge.federate.grid.virtual import Device
from selvedge.federate.masked import Masked
from selvedge.federate.masking import member
from selvedge.federate.masking.blame import Blame
from selvedge.federate.masking.marks import Marks
from selvedge.federate.message import Message, made
from selvedge.federate.server import Server

from .masking.company import nothing
from .toward import World, key, name

LIAR, COUNT = 3, 6
HONEST = [name(i) for i in range(COUNT) if i != LIAR]
Handle = Callable[[bytes], Message | None]


def lives(world: World, liar: Callable[[Handle, bytes], Message | None]) -> None:
    """``liar``: what the device in question makes of a message; the honest way is given."""
    honest = world.participant(LIAR).handle
    world.grid._devices[name(LIAR)] = Device(lambda data: liar(honest, data), seconds=1.0)  # type: ignore[index]


def begun(folder: Path, patience: int = 1, **masked: Any) -> World:
    run = Federation(
        "tried", rounds=3, clients=COUNT, least=3, deadline=50.0, patience=patience, masked=Masked(members=3, **masked)
    )
    return World(run, COUNT, folder)


def finished(world: World) -> Server:
    server = world.server()
    server.run(world.grid)
    server.close()
    c = server.coordinator
    assert (c.phase, len(c.moved)) == ("done", 3), c.why
    assert set(c.last) >= set(HONEST)
    again = world.server()  # out of the journal
    again.close()
    assert again.coordinator.left_out == c.left_out
    return server


def with_patch(of: Any, attribute: str, instead: Any) -> Callable[[Handle, bytes], Message | None]:
    """A device in whose process ``attribute`` is another."""

    def liar(honest: Handle, data: bytes) -> Message | None:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(of, attribute, instead)
            return honest(data)

    return liar


the_same_keys = with_patch(member.secrets, "token_bytes", lambda count: bytes(range(count)))


def test_a_round_key_that_comes_back_costs_its_member_its_place(tmp_path: Path) -> None:
    """The others have seen it, and would all refuse: the server has, too."""
    world = begun(tmp_path, patience=0)
    lives(world, the_same_keys)
    c = finished(world).coordinator
    assert c.left_out == {name(LIAR): "a round key of device-003 that was used before, in task 0"}
    assert [m.changes for m in c.moved] == [6, 5, 5]
    assert not any(m.failed for m in c.moved)


def test_members_name_whose_key_came_back_where_the_server_does_not_know(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As that of another run. The round ends, and the next one is without it."""
    monkeypatch.setattr(Marks, "add", nothing)
    world = begun(tmp_path)
    lives(world, the_same_keys)
    c = finished(world).coordinator
    assert list(c.left_out) == [name(LIAR)]
    assert c.left_out[name(LIAR)] == f"{', '.join(HONEST)} could not use what it sent"
    assert [m.changes for m in c.moved] == [6, 5, 5]


false_seeds = with_patch(member.shares, "split", lambda seed, need, n: [secrets.token_bytes(16) for _ in range(n)])


def shares_of_nothing(honest: Handle, data: bytes) -> Message | None:
    answer = honest(data)
    if answer is None or answer.head.get("stage") != "shares":
        return answer
    return made("said", dict(answer.head), answer.body[:36] + secrets.token_bytes(len(answer.body) - 36), key(LIAR))


def test_shares_that_nobody_can_open(tmp_path: Path) -> None:
    world = begun(tmp_path)
    lives(world, shares_of_nothing)
    server = finished(world)
    c = server.coordinator
    assert c.left_out == {name(LIAR): f"{', '.join(HONEST)} could not use what it sent"}
    assert [m.changes for m in c.moved] == [5, 5, 5]
    report = Report.now("simulated", c, Course(), COUNT, 0, 0, server.refused)
    assert f"left out: device-003: {', '.join(HONEST)} could not use what it sent" in str(report)
    assert Report.of(report.to_dict(), "there") == report


def test_a_run_without_anybody_left_out_would_end_nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Blame, "out", lambda self: {})
    world = begun(tmp_path)
    lives(world, shares_of_nothing)
    server = world.server()
    server.run(world.grid)
    server.close()
    assert (server.coordinator.phase, server.coordinator.version) == ("stopped", 0)


def test_shares_that_give_back_another_seed(tmp_path: Path) -> None:
    world = begun(tmp_path)
    lives(world, false_seeds)
    c = finished(world).coordinator
    assert list(c.left_out) == [name(LIAR)]
    why = "in task 0 unmask: the shares do not give back what was committed to by device-003"
    assert c.left_out[name(LIAR)] == why
    # Of the model whose sum of six was asked for, none of five is agreed to: it would tell the sixth from them.
    assert [m.changes for m in c.moved] == [4, 5, 5]


def test_three_who_give_false_shares_have_no_honest_member_left_out(tmp_path: Path) -> None:
    """Of twenty, eleven of whom are needed: 32 tries may find no eleven honest ones, and all would be named."""
    liars, count = range(3), 20
    run = Federation("tried", rounds=3, clients=count, least=8, deadline=50.0, patience=3, masked=Masked())
    world = World(run, count, tmp_path)

    def lying(i: int) -> Handle:
        honest = world.participant(i).handle

        def handle(data: bytes) -> Message | None:
            answer = honest(data)
            if answer is None or answer.head.get("stage") != "unmask":
                return answer
            return made("said", dict(answer.head), answer.body[:36] + bytes(len(answer.body) - 36), key(i))

        return handle

    for i in liars:
        world.grid._devices[name(i)] = Device(lying(i), seconds=1.0)  # type: ignore[index]
    server = world.server()
    server.run(world.grid)
    server.close()
    assert not server.coordinator.left_out


def accusing(*whom: int) -> Callable[[Handle, bytes], Message | None]:
    """Of each task another one, in turn, and it has no answer of its own."""

    def accuser(honest: Handle, data: bytes) -> Message | None:
        answer = honest(data)
        if answer is None or answer.head.get("stage") != "input":
            return answer
        about = {n: answer.head[n] for n in ("run", "task", "client")}
        said = {**about, "why": "untrue", "of": name(whom[about["task"] % len(whom)])}
        return made("refusal", said, b"", key(int(about["client"][-3:])))

    return accuser


def test_who_accuses_others_falsely_goes_and_nobody_else(tmp_path: Path) -> None:
    """The first whom it accuses stands against it, and costs the run nothing but the accuser; the second tips it."""
    world = begun(tmp_path)
    lives(world, accusing(0, 1, 2))
    c = finished(world).coordinator
    assert c.left_out == {name(LIAR): "it says of 2 others that it could not use what they sent"}
    assert [m.changes for m in c.moved] == [5, 5, 5]


def false_seeds_and_gone(honest: Handle, data: bytes) -> Message | None:
    """It shares what gives nothing back, and sends no input: the seed of its pairwise masks is needed."""
    answer = false_seeds(honest, data)
    return None if answer is not None and answer.head.get("stage") == "input" else answer


NINE = 9  # with groups of at least eight: there is one to spare
ALONE = {
    "what gives nothing back": (false_seeds, [7, 8, 8]),
    "what gives nothing back, and is gone": (false_seeds_and_gone, [8, 8, 8]),
    "what nobody can open": (shares_of_nothing, [8, 8, 8]),
    "one after the other accused": (accusing(0, 1, 2), [8, 8, 8]),
}


def nine(folder: Path, *liars: tuple[int, Callable[[Handle, bytes], Message | None]]) -> Server:
    """To its end, of which three rounds are wanted."""
    run = Federation("tried", rounds=3, clients=NINE, least=5, deadline=50.0, patience=3, masked=Masked())
    world = World(run, NINE, folder)
    for i, liar in liars:
        honest = world.participant(i).handle
        lying = partial(liar, honest)
        world.grid._devices[name(i)] = Device(lying, seconds=1.0)  # type: ignore[index]
    server = world.server()
    server.run(world.grid)
    server.close()
    again = world.server()  # out of the journal
    again.close()
    assert again.coordinator.state()[0] == server.coordinator.state()[0]
    return server


@pytest.mark.parametrize("what", ALONE)
def test_one_liar_of_nine_ends_no_run(what: str, tmp_path: Path) -> None:
    liar, changes = ALONE[what]
    c = nine(tmp_path, (LIAR, liar)).coordinator
    assert (c.phase, [m.changes for m in c.moved]) == ("done", changes), c.why
    assert list(c.left_out) == [name(LIAR)]


def test_accusers_in_turn_end_no_run_of_nine(tmp_path: Path) -> None:
    """As many as may lie at all, each of another one: nobody is left out for a word against a word. And two, of one
    after the other: both are, and one of them is asked all the same, for without it there would be no group."""
    each = nine(tmp_path / "each", *((i, accusing(i + 4)) for i in range(4))).coordinator
    assert (each.phase, [m.changes for m in each.moved]) == ("done", [5, 5, 5]), each.why
    assert not each.left_out
    two = nine(tmp_path / "two", (3, accusing(0, 1, 2)), (4, accusing(5, 6, 7))).coordinator
    assert (two.phase, [m.changes for m in two.moved]) == ("done", [7, 7, 7]), two.why
    assert set(two.left_out) == {name(3), name(4)}


def test_nobody_is_accused_who_is_not_in_the_group(tmp_path: Path) -> None:
    world = begun(tmp_path, group=3)
    server = world.server()
    seen: list[tuple[str, str]] = []

    def heard(event: Any) -> None:
        running = server.coordinator.round
        if running is not None and not seen and running.stage(name(0)) == "shares":
            mine = next(n for n in range(2) if name(0) in running.members(n))
            other = running.members(1 - mine)[0]
            seen.append((name(0), other))
            server.coordinator.apply(Gone(name(0), of=other))

    server.run(world.grid, heard)
    server.close()
    assert seen
    assert not server.coordinator.left_out


def test_of_two_that_quarrel_one_goes_and_it_is_who_quarrels_most() -> None:
    one = Blame()
    for by in "abc":
        one.accused(by, "liar")
    one.accused("liar", "d")
    assert list(one.out()) == ["liar"]
    one.accused("e", "f")
    one.accused("f", "e")
    assert list(one.out()) == ["liar"], "a word against a word"
    assert Blame.of(one.state()).out() == one.out()
    one.accused("a", "a")
    assert list(one.out()) == ["liar"]
    for by in "mn":
        for of in "op":
            one.accused(by, of)
    assert set(one.out()) == {"liar", "m", "n"}, "who speaks of more, among equals"
    one.doubted("g", "once")
    assert "g" not in one.out()
    one.doubted("g", "twice")
    assert one.out()["g"] == "twice"


@given(st.integers(1, 4), st.data())
def test_whoever_accuses_several_alone_goes_and_a_lone_word_costs_nobody(count: int, data: st.DataObject) -> None:
    """``count`` accusers, each of others than the rest speak of: who speaks of one stays, who speaks of more goes, and
    of those that are spoken of nobody does."""
    said = [data.draw(st.integers(0, 5)) for _ in range(count)]
    one = Blame()
    for i in range(count):
        for j in range(said[i]):
            one.accused(f"accuser {i}", f"member {i}.{j}")
    assert set(one.out()) == {f"accuser {i}" for i in range(count) if said[i] > 1}


@pytest.mark.parametrize(("count", "out"), [(2, 1), (3, 2), (6, 8), (20, 46)])
def test_how_many_others_those_who_lie_together_have_left_out(count: int, out: int) -> None:
    """As docs/secure.md says: first one accused by all, then those by half of them each, and so on, down to pairs."""
    one = Blame()
    for size in range(count, 1, -1):
        for i in range(count // size):
            for j in range(size):
                one.accused(f"accuser {size * i + j}", f"member {size}.{i}")
    assert len(one.out()) == out
    assert all(member.startswith("member") for member in one.out())


def test_marks_are_kept_as_they_are_and_the_latest_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    from selvedge.federate.masking import marks

    monkeypatch.setattr(marks, "MOST", 4)
    made = Marks()
    for task in range(3):
        made.add({bytes([task, i] * 4) for i in range(2)}, task)
    assert list(made.values()) == [1, 1, 2, 2]
    assert Marks.of(made.state()) == made
    assert Marks.of({}) == Marks.of(Marks().state()) == {}
