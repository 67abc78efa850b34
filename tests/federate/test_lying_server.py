"""What a server that lies tries on devices, by messages alone: each comes to nothing here, and in a copy of the
protocol without the one check it has what the device was to keep. So each of these tests can fail."""

from __future__ import annotations

import json
import os
import shutil
import signal
import stat
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from selvedge.errors import InvalidInput
from selvedge.federate import secret
from selvedge.federate.client.store import VOLATILE, InFile, InMemory
from selvedge.federate.client.trainer import CannotTrain, Trained, Withheld
from selvedge.federate.client.witness import SHARED, Witness
from selvedge.federate.keys import SIGNATURE
from selvedge.federate.masking import agreement, checks, group, member, past, ring, wire
from selvedge.federate.masking.agreement import SEED
from selvedge.federate.masking.demands import Demands
from selvedge.federate.masking.shares import Recovery
from selvedge.federate.message import Refused

from .lying import DEAD, STEP, ZEROS, Server, participant, samples, summed, told
from .masking.company import nothing
from .toward import LAYOUT, Toward, name

VICTIM, COUNT = 2, 6
ALL = range(COUNT)
OTHERS = [i for i in ALL if i != VICTIM]


def change(i: int) -> Any:
    """Of a device, from zeros."""
    return samples(i).train(ZEROS, {}, 0, None, None).vector


def server(count: int = COUNT, demands: Demands | None = None) -> Server:
    return Server({i: participant(i, count, demands=demands) for i in range(count)})


def everybody(pasts: Any, terms: Any) -> frozenset[int]:
    """A copy of the protocol in which whoever has something left adds it."""
    return frozenset(i for i, own in pasts.items() if own != past.NONE)


# -- what earlier rounds have left ----------------------------------------------------------------------------------


def alone_with_something_left() -> tuple[Any, Any]:
    """All learn; then all others are asked, for a dead model, until nothing is left of theirs; then all are. What the
    victim's first change has left stands alone in the sum."""
    lying = server()
    first = lying.round(ALL, 0, seed=1)
    sent = ~np.isnan(summed(first))
    for task in range(1, 9):
        lying.round(OTHERS, task, DEAD + task, seed=task)  # no model twice: no two sums are near each other
    last = lying.round(ALL, 9, DEAD, seed=2)
    found = summed(last)
    fresh = ~sent & ~np.isnan(found)
    assert fresh.sum() >= 3, "places of which the first round said nothing"
    return found[fresh], change(VICTIM)[fresh]


def test_what_is_left_of_one_device_is_never_in_a_sum_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    found, own = alone_with_something_left()
    assert np.abs(found).max() <= COUNT * STEP, "of others nothing is left but what was rounded"
    monkeypatch.setattr(member, "carriers", everybody)
    found, own = alone_with_something_left()
    np.testing.assert_allclose(found, own, atol=COUNT * STEP)


def few_of_those_who_carry() -> tuple[Any, Any]:
    """Three of five have something left, and say it together; two of them are said to be lost."""
    lying = server(5)
    first = lying.round([0, 1, VICTIM], 0, seed=1)
    sent = ~np.isnan(summed(first))
    lost = {"input": [0, 1]}
    last = lying.round(range(5), 1, DEAD, seed=2, lost=lost)
    if last.stage != "done":
        raise Refused(lying.why[VICTIM])
    found = summed(last)
    fresh = ~sent & ~np.isnan(found)
    return found[fresh], change(VICTIM)[fresh]


def test_no_sum_of_which_but_few_have_added_what_was_left(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(KeyError):  # a server that keeps to the protocol does not ask for it
        few_of_those_who_carry()
    monkeypatch.setattr(group.Group, "_thin", lambda self, here: "")
    with pytest.raises(Refused, match="what earlier rounds left is of 1 members where 2 are the least"):
        few_of_those_who_carry()
    monkeypatch.setattr(checks, "carried", nothing)
    found, own = few_of_those_who_carry()
    np.testing.assert_array_equal(found, own)


def test_what_was_sent_is_spent_whatever_the_server_says_of_it() -> None:
    """The victim is not told that its values were taken, nor asked to unmask; all others are. The same places again
    have nothing of it."""
    lying = server()
    first = lying.round(ALL, 0, seed=1, lost={"consent": [VICTIM]})
    assert name(VICTIM) in first.total()[1]
    again = lying.round(ALL, 1, DEAD, seed=1)
    assert np.nanmax(np.abs(summed(again))) <= COUNT * STEP


def test_in_one_company_nothing_is_lost_of_what_was_left() -> None:
    """Where the same are there each time, what a round leaves out the next ones say."""
    lying, total = server(), np.zeros(LAYOUT.size)
    lying.round(ALL, 0, seed=1)
    first = lying.round(ALL, 1, DEAD, seed=2)
    wanted = np.sum([change(i) for i in ALL], axis=0)
    places, before = ~np.isnan(summed(first)), ~np.isnan(summed(server().round(ALL, 0, seed=1)))
    total[places & ~before] = wanted[places & ~before]
    assert (places & ~before).any()
    found = np.nan_to_num(summed(first))
    np.testing.assert_allclose(found, total, atol=COUNT * STEP)


def test_a_window_of_its_own_is_not_taken() -> None:
    lying = server()
    done = lying.round(ALL, 0, head=lambda i: {"window": 1} if i == VICTIM else {})
    assert lying.why == {VICTIM: "other steps than those that this group agreed on"}
    assert name(VICTIM) not in done.total()[1]


# -- names of runs --------------------------------------------------------------------------------------------------


def the_same_twice() -> tuple[Any, Any]:
    """A second run, whose name and key are as the first one's: its tasks begin anew. The victim is not in its sum. The
    models differ in the last bit, so that no two sums are of one."""
    lying = server(demands=Demands(run="tried/1"))
    first = lying.round(ALL, 0)
    near = ZEROS.copy()
    near[0] = 1e-30
    second = lying.round(ALL, 0, near, run="tried/2", lost={"input": [VICTIM]})
    if second.stage != "done":
        raise Refused(lying.why[VICTIM])
    codec, one = told(first)
    _, other = told(second)
    return (one.values - other.values) * codec.step, change(VICTIM)[codec.places]


def test_a_second_run_of_the_name_is_not_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Refused, match="a round of tried/2 where tried/1 was joined"):
        the_same_twice()
    monkeypatch.setattr(checks, "joined", nothing)
    found, own = the_same_twice()
    np.testing.assert_array_equal(found, own)


def test_a_device_that_was_told_of_no_run_stays_with_its_first() -> None:
    lying = server()
    lying.round(ALL, 0)
    lying.round(ALL, 0, run="tried/2")
    assert lying.why == dict.fromkeys(ALL, "a round of tried/2 where tried/1 was joined")


def test_other_rules_than_those_it_was_invited_to_are_refused() -> None:
    lying = server(demands=Demands(run="tried/1", rules="ab" * 32))
    lying.round(ALL, 0)
    assert set(lying.why.values()) == {"a round under other rules than this member was invited to"}


# -- refusals -------------------------------------------------------------------------------------------------------


class Cannot(Toward):
    """Raises ``error`` where it is to learn."""

    def __init__(self, error: Exception) -> None:
        super().__init__(np.zeros(LAYOUT.size))
        self.error = error

    def train(self, start: Any, local: dict[str, Any], task: int, control: Any, own: Any) -> Trained:
        raise self.error


@pytest.mark.parametrize(
    "trainer",
    [
        Cannot(CannotTrain("learning diverged: step 3")), Cannot(CannotTrain("9,000 steps, 1 epochs of 9,000")),
        Cannot(ZeroDivisionError("no samples")), Cannot(IndexError("a label of no class")),
        Toward(np.full(LAYOUT.size, np.inf)),
    ],
)  # fmt: skip
def test_what_samples_do_is_not_said_outside_of_the_masks(trainer: Any) -> None:
    """As many bytes at each stage, and none that says why; the sum is the others'."""
    lying, log = server(), list[str]()
    lying.devices[VICTIM] = participant(VICTIM, COUNT, trainer=trainer, log=log.append)
    done = lying.round(ALL, 0)
    assert not lying.why
    assert len(done.total()[1]) == COUNT
    sizes = {(m.kind, m.head["stage"], len(m.body), tuple(m.head)) for m in lying.said}
    assert len(sizes) == 5, "nobody's answers are other than another's"
    codec, found = told(done)
    assert (found.values == np.sum([np.round(change(i) / STEP) for i in OTHERS], axis=0)[codec.places]).all()
    assert len(log) == 1
    assert "task 0: nothing is added to the sum: " in log[0]


@pytest.mark.parametrize("ask", ["\xe9", "a", "=="])
def test_an_ask_of_no_bytes_ends_no_device(ask: str) -> None:
    lying = server()
    answer = lying.ask(VICTIM, lying.terms(ALL, 0), "input", b"", other={"ask": ask})
    assert answer is not None
    assert answer.head["why"] == "an ask that is no base64"


def test_what_its_owner_does_not_let_is_said() -> None:
    lying = server()
    lying.devices[VICTIM] = participant(VICTIM, COUNT, trainer=Cannot(Withheld("the budget is spent")))
    done = lying.round(ALL, 0)
    assert lying.why == {VICTIM: "the budget is spent"}
    assert len(done.total()[1]) == COUNT - 1


# -- a store that goes back -----------------------------------------------------------------------------------------


def masked_twice(folder: Path) -> tuple[Any, Any]:
    """The victim's folder as it was before its input is brought back behind it; meanwhile it has another sample."""
    path = folder / "state"
    folder.mkdir()
    lying = server()
    lying.devices[VICTIM] = participant(VICTIM, COUNT, InFile(path))
    inputs, terms = list[Any](), lying.terms(ALL, 0)
    under = group.Group(terms, {name(i): lying.devices[i]._key.public for i in ALL})
    for stage in ("keys", "shares"):
        for i in ALL:
            answer = lying.ask(i, terms, stage, under.ask(name(i)))
            assert answer is not None
            under.put(name(i), answer.body)
        under.advance()
    shutil.copy2(path, folder / "copy")
    for trainer in (samples(VICTIM), samples(COUNT)):
        lying.devices[VICTIM] = participant(VICTIM, COUNT, InFile(path), trainer)
        answer = lying.ask(VICTIM, terms, "input", under.ask(name(VICTIM)))
        assert answer is not None
        if answer.kind == "refusal":
            raise Refused(answer.head["why"])
        words = np.zeros(terms.size, ring.word(terms.width))
        ring.add(words, wire.body(answer.body, "input", terms, True)[:-SIGNATURE], terms.width)
        inputs.append(words)
        shutil.copy2(folder / "copy", path)
    codec, _ = told_of(terms)
    between = ring.signed(inputs[0] - inputs[1], terms.width)[: len(codec.places)]
    return between * STEP, (change(VICTIM) - change(COUNT))[codec.places]


def told_of(terms: Any) -> Any:
    from selvedge.federate.codec.masked import Maskable

    return Maskable.of(terms.codec.partition(" ")[0], LAYOUT.size), terms


def test_a_folder_that_was_brought_back_masks_nothing_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Refused, match="a round that this member has no keys of"):
        masked_twice(tmp_path / "here")
    monkeypatch.setattr(Witness, "saw", lambda self, token: True)
    found, own = masked_twice(tmp_path / "without")
    np.testing.assert_array_equal(found, own)


def test_behind_a_start_of_the_machine_the_secrets_of_a_round_are_not_on_the_disk(tmp_path: Path) -> None:
    """The device is lost in that round: nothing would ever write over them, where it is the last one."""
    path, lying, log = tmp_path / "state", server(), list[str]()
    lying.devices[VICTIM] = participant(VICTIM, COUNT, InFile(path))
    terms = lying.terms(ALL, 0)
    assert lying.ask(VICTIM, terms, "keys", b"") is not None
    assert f'"{VOLATILE}"'.encode() in path.read_bytes()
    Witness(path).clear()
    participant(VICTIM, COUNT, InFile(path, log.append)).rest(over=True)
    assert f'"{VOLATILE}"'.encode() not in path.read_bytes()
    assert "lost" in log[0]
    again = lying.ask(VICTIM, terms, "shares", wire.head("shares", terms.digest, False))
    assert again is not None
    assert again.head["why"] == "shares of a round that this member has no keys of"


def with_secrets(folder: Path) -> list[str]:
    """Files in which there are secrets of a round."""
    return sorted(file.name for file in folder.iterdir() if f'"{VOLATILE}"'.encode() in file.read_bytes())


@pytest.mark.parametrize("at", [1, 2])
def test_what_a_killed_write_has_left_is_gone_once_the_device_begins_again(at: int, tmp_path: Path) -> None:
    """A process that is killed between the writing of what it keeps and its renaming."""
    done = subprocess.run([sys.executable, "-m", "tests.federate.unkept", tmp_path, str(at)], check=False)
    assert done.returncode == -signal.SIGKILL
    left = with_secrets(tmp_path)
    assert len(left) == at, "so what is left would be seen"
    assert [name for name in left if name != "state"] != []
    device = participant(0, COUNT, InFile(tmp_path / "state"))
    assert set(with_secrets(tmp_path)) <= {"state"}
    device.rest(over=True)
    assert with_secrets(tmp_path) == []


def test_two_that_write_one_file_at_once_leave_one_whole(tmp_path: Path) -> None:
    """Whatever the place is that they write in first."""
    path, texts = tmp_path / "key", [bytes([i]) * 100_000 for i in range(4)]

    def write(text: bytes) -> None:
        for _ in range(20):
            secret.keep(path, text)
            secret.sweep(path)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, texts))
    assert path.read_bytes() in texts
    assert path.stat().st_mode & 0o777 == 0o600
    assert [file.name for file in tmp_path.iterdir()] == ["key"]


@pytest.mark.parametrize("read", [True, False])
def test_what_is_kept_waits_for_nobody_and_is_written_nowhere_else(read: bool, tmp_path: Path) -> None:
    """Whoever else may write there could have put a pipe, or another name of some file, where it is written first."""
    path, other = tmp_path / "key", tmp_path / "other"
    between = secret._beside(path)
    os.mkfifo(between)
    reader = os.open(between, os.O_RDONLY | os.O_NONBLOCK) if read else -1
    with pytest.raises(InvalidInput, match="cannot write there"):
        secret.keep(path, b"secret")
    secret.sweep(path)
    if read:
        assert os.read(reader, 10) == b""
        os.close(reader)
    between.unlink()
    other.write_bytes(b"precious")
    os.link(other, between)
    with pytest.raises(InvalidInput, match="cannot write there"):
        secret.keep(path, b"secret")
    assert other.read_bytes() == b"precious"
    between.unlink()
    secret.keep(path, b"secret")
    assert path.read_bytes() == b"secret"


def test_a_witness_waits_for_nobody(tmp_path: Path) -> None:
    """Whoever else may write where it does could have put a pipe there."""
    one = Witness(tmp_path / "state")
    if one._file is None:
        pytest.skip("no memory is shared here")
    for pipe in (one._file, one._file.with_name(f"{one._file.name}-{os.getpid()}")):
        os.mkfifo(pipe)
        try:
            one.note("token") if pipe != one._file else None
            assert not one.saw("token")
        finally:
            pipe.unlink()


def test_a_witness_knows_the_last_record_and_no_other(tmp_path: Path) -> None:
    """A process that begins again is believed where the machine's memory is shared; where it is not, nobody is."""
    for shared in (SHARED, tmp_path):
        one = Witness(tmp_path / "state", shared)
        one.note("first")
        one.note("second")
        assert (one.saw("second"), one.saw("first"), one.saw("")) == (True, False, False)
        other = Witness(tmp_path / "state", shared)
        assert other.saw("second") is (one._file is not None)
        assert not Witness(tmp_path / "copy", shared).saw("second")
        one.clear()
        assert not other.saw("second")
    assert Witness(tmp_path / "state", tmp_path)._file is None
    assert not list(tmp_path.iterdir())


def test_what_is_kept_is_there_behind_a_power_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file before its name, and then the folder that has the name."""
    done: list[str] = []
    sync, replace = os.fsync, os.replace

    def synced(handle: int) -> None:
        done.append("folder" if stat.S_ISDIR(os.fstat(handle).st_mode) else "file")
        sync(handle)

    def renamed(old: Any, new: Any) -> None:
        done.append("name")
        replace(old, new)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(os, "replace", renamed)
    secret.keep(tmp_path / "state", b"x")
    assert done == ["file", "name", "folder"]


# -- the secrets of a round that is over ----------------------------------------------------------------------------


def stolen(stores: list[InMemory], victim: int) -> bytes | None:
    """The seed of the victim's own mask, out of what members have in their stores: a threshold of them."""
    found: dict[int, bytes] = {}
    for store in stores:
        kept = store.load()
        assert kept is not None
        under_way = kept[0].get(VOLATILE)
        if under_way is None:
            assert "pairs" not in json.dumps(kept[0])
            continue
        state = member.Round.of(under_way["round"])
        if victim in state.pairs:
            found[state.terms.index(name(stores.index(store)))] = state.pairs[victim][SEED:]
    need = COUNT // 2 + 1
    if len(found) < need:
        return None
    chosen = sorted(found)[:need]
    return Recovery(chosen).secret(np.array([list(found[i]) for i in chosen], np.uint8))


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize("how", ["unmasked", "time", "the end of the run", "nothing"])
def test_who_takes_the_stores_of_all_members_has_nothing_of_a_round_that_is_over(how: str) -> None:
    stores, clock = [InMemory() for _ in ALL], Clock()
    lying = Server({i: participant(i, COUNT, stores[i], clock=clock) for i in ALL})
    lost = {} if how == "unmasked" else {"unmask": ALL}
    under = lying.round(ALL, 0, lost=lost)
    clock.now += 3601 if how == "time" else 3599
    for device in lying.devices.values():
        device.rest(over=how == "the end of the run")
    found = stolen(stores, VICTIM)
    if how == "nothing":
        assert found is not None
        assert agreement.commitment(found) == under._keys[VICTIM].commitment, "so this theft would be seen"
    else:
        assert found is None


def test_a_round_gets_older_while_the_machine_sleeps(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []
    monkeypatch.setattr(time, "clock_gettime", lambda clock: seen.append(clock) or 5.0)
    assert participant(0, COUNT)._clock() == 5.0
    assert seen == [time.CLOCK_BOOTTIME]


def test_a_device_that_was_away_for_too_long_is_lost_in_its_round() -> None:
    clock = Clock()
    lying = Server({i: participant(i, COUNT, clock=clock) for i in ALL})

    def head(i: int) -> dict[str, Any]:
        clock.now += 3601 if i == 0 else 0
        return {}

    lying.round(ALL, 0, head=head)
    assert set(lying.why.values()) == {"shares of a round that this member has no keys of"}
