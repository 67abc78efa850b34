"""Rounds with central noise: clipped, equal, noised once, the same after a kill, no more of them than the budget."""

from __future__ import annotations

import json
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import selvedge as sv
from selvedge.errors import InvalidInput
from selvedge.federate.client.participant import Participant
from selvedge.federate.client.private import Private
from selvedge.federate.client.store import InMemory
from selvedge.federate.client.trainer import CannotTrain, Trained
from selvedge.federate.coordinator import Began, Closed, Coordinator, Gone, Opened, Stopped, Taken
from selvedge.federate.cover import Cover
from selvedge.federate.grid.virtual import Device, VirtualGrid
from selvedge.federate.keys import Key
from selvedge.federate.layout import Layout
from selvedge.federate.privacy.budget import Budget
from selvedge.federate.privacy.ledger import Ledger
from selvedge.federate.server import Server

SIZE = 600
LAYOUT = Layout({"w": (SIZE,)})
SECRET = "07" * 32


class Toward:
    """A trainer without a session: a change of a length of its own."""

    def __init__(self, number: int, long: float = 5.0) -> None:
        self.layout = LAYOUT
        direction = np.random.default_rng(number).standard_normal(SIZE)
        self.change = np.float32(long * direction / np.linalg.norm(direction))

    def train(self, start: Any, local: Any, task: int, control: Any, own: Any) -> Trained:
        return Trained(start + self.change, 7, 2.5)


def settings_of(privacy: sv.Privacy | None, rounds: int = 3, clients: int = 4, **other: Any) -> sv.Federation:
    return sv.Federation("private", rounds, clients, privacy=privacy, **other)


def begun(privacy: sv.Privacy, clients: int = 4, secret: str = SECRET, **other: Any) -> Coordinator:
    made = Coordinator(settings_of(privacy, clients=clients, **other), LAYOUT, np.zeros(SIZE, np.float32), run="r")
    made.secret = secret
    made.apply(Began(0.0))
    return made


def taken(coordinator: Coordinator, changes: dict[str, Any], weight: int = 7) -> None:
    coordinator.apply(Opened(0.0, dict.fromkeys(changes, ""), len(changes)))
    task = coordinator.next_task - 1
    for name, change in changes.items():
        coordinator.apply(Taken(name, task, weight, 2.5, change))


QUIET = sv.Privacy(1.0, 1e-3, 1e12, 1e-5)  # noise of a thousandth


def test_each_change_is_cut_to_the_bound_and_all_weigh_the_same() -> None:
    long, short = Toward(1, 5.0).change, Toward(2, 0.5).change
    coordinator = begun(QUIET)
    coordinator.apply(Opened(0.0, {"a": "", "b": ""}, 2))
    coordinator.apply(Taken("a", 0, 1000, 9.0, long))
    coordinator.apply(Taken("b", 0, 1, 1.0, short))
    coordinator.apply(Closed(1.0))
    np.testing.assert_allclose(coordinator.model, (long / 5 + short) / 4, atol=2e-3)  # over 4 clients, though 2 came
    assert coordinator.moved[-1].loss == 0, "nobody's loss is told"
    assert coordinator.moved[-1].changes == 2


def test_the_noise_is_what_is_said_and_nobody_knows_it_beforehand() -> None:
    loud = sv.Privacy(1.0, 2.0, 1e3, 1e-5)
    models = []
    for secret in (SECRET, SECRET, "08" * 32):
        coordinator = begun(loud, secret=secret)
        for _ in range(2):
            taken(coordinator, {"a": np.zeros(SIZE, np.float32)})
            coordinator.apply(Closed(1.0))
        models.append(coordinator.model)
    np.testing.assert_array_equal(models[0], models[1])
    assert not np.any(models[0] == models[2]), "without the secret nothing of it is known"
    assert models[0].std() == pytest.approx(2 * 2**0.5 / 4, rel=0.15)
    first = begun(loud)
    taken(first, {"a": np.zeros(SIZE, np.float32)})
    first.apply(Closed(1.0))
    assert abs(np.corrcoef(first.model, models[0] - first.model)[0, 1]) < 0.2, "no round has that of another"


@settings(max_examples=20, deadline=None)
@given(st.permutations(["a", "b", "c", "d"]), st.integers(1, 4))
def test_the_sum_does_not_depend_on_the_order(order: list[str], cut: int) -> None:
    """Nor on being loaded from a state in the middle of a round."""
    loud, changes = sv.Privacy(1.0, 1.0, 1e3, 1e-5), {n: Toward(i).change for i, n in enumerate("abcd")}
    straight = begun(loud)
    taken(straight, changes)
    straight.apply(Closed(1.0))
    other = begun(loud)
    other.apply(Opened(0.0, dict.fromkeys("abcd", ""), 4))
    for number, name in enumerate(order):
        if number == cut:
            head, arrays = other.state()
            again = begun(loud, secret="")
            again.load(json.loads(json.dumps(head)), {n: a.copy() for n, a in arrays.items()})
            other = again
        other.apply(Taken(name, 0, 1, 0.0, changes[name]))
    other.apply(Closed(1.0))
    np.testing.assert_array_equal(straight.model, other.model)


def drive(coordinator: Coordinator, here: dict[str, str], answers: Callable[[str], bool]) -> list[Any]:
    """Events until it is over; devices answer or are silent until the deadline."""
    events: list[Any] = []
    now = 0.0
    while coordinator.phase not in ("done", "stopped"):
        event = coordinator.due(now, lambda: here, len(here))
        if event is None:
            name = next((c for c in sorted(coordinator.busy) if answers(c)), None)
            if name is None:
                until = coordinator.deadline()
                assert until is not None
                now = until
                continue
            event = Taken(name, coordinator.busy[name].task, 1, 0.0, np.zeros(SIZE, np.float32))
        coordinator.apply(event)
        events.append(event)
    return events


def test_noise_that_anybody_could_guess_is_none() -> None:
    for privacy in (QUIET, sv.Privacy(1.0, 1.0, 10.0, 1e-5, rate=0.5)):
        coordinator = begun(privacy, secret="")
        with pytest.raises(InvalidInput, match="secret is of 0 bytes"):
            drive(coordinator, {"a": ""}, lambda name: True)


def test_a_spent_budget_ends_the_run_before_one_more_round() -> None:
    privacy = sv.Privacy.within(2.0, 1e-5, 6, clip=1.0)
    coordinator = begun(privacy, rounds=50)
    events = drive(coordinator, dict.fromkeys("abcd", ""), lambda name: True)
    assert isinstance(events[-1], Stopped)
    assert "privacy budget is spent: epsilon" in coordinator.why
    assert (coordinator.phase, coordinator.version) == ("stopped", 6)
    told = coordinator.statement
    assert 1.9 < told["epsilon"] <= told["budget"] == 2.0
    assert told["epsilon"] == told["epsilon_where_cohorts_are_seen"]
    assert told["releases"] == 6
    assert json.loads(json.dumps(told)) == told


def test_with_lots_everybody_is_in_a_round_or_not_on_their_own() -> None:
    privacy = sv.Privacy(1.0, 8.0, 10.0, 1e-5, rate=0.25)
    here = {f"device-{i:02}": "" for i in range(40)}
    coordinator = begun(privacy, clients=10, rounds=30)
    asked = [set(e.asked) for e in drive(coordinator, here, lambda name: True) if isinstance(e, Opened)]
    sizes = [len(a) for a in asked]
    assert coordinator.version == 30
    assert len(set(sizes)) > 5, "no cohort of a fixed size"
    assert np.mean(sizes) == pytest.approx(10, abs=1.5)
    assert len(set().union(*asked)) == 40
    assert coordinator.statement["epsilon"] < coordinator.statement["epsilon_where_cohorts_are_seen"]
    less = dict(list(here.items())[1:])
    other = begun(privacy, clients=10, rounds=30)
    without = [set(e.asked) for e in drive(other, less, lambda name: True) if isinstance(e, Opened)]
    assert [a - {"device-00"} for a in asked] == without, "one's being there changes nobody else's part"


def test_a_round_counts_however_few_answer() -> None:
    """A round that moved only where enough answered would tell whether one more had been there."""
    coordinator = begun(sv.Privacy(1.0, 8.0, 10.0, 1e-5), rounds=2, least=4)
    events = drive(coordinator, dict.fromkeys("abcd", ""), lambda name: False)
    assert [type(e).__name__ for e in events] == ["Opened", "Closed"] * 2
    assert np.any(coordinator.model != 0), "noise alone"


def grid_of(count: int, keys: dict[str, Key], server: Key) -> VirtualGrid:
    devices = {}
    for i, name in enumerate(keys):
        handle = Participant(name, keys[name], server.public, Toward(i), InMemory(), seed=i).handle
        devices[name] = Device(handle, "", 10.0, 1e5)
    return VirtualGrid(devices, 0)


@pytest.mark.parametrize("after", range(1, 14, 3))
def test_a_server_that_is_killed_tells_the_same_sum_with_the_same_noise(tmp_path: Path, after: int) -> None:
    """What dies with the process between any two events is drawn again from the secret in its journal."""
    privacy, server = sv.Privacy(1.0, 1.0, 1e3, 1e-5, rate=0.6), Key(bytes(32))
    keys = {f"device-{i}": Key(bytes([i + 1]) * 32) for i in range(4)}

    class Killed(BaseException):
        pass

    def model(folder: Path, kill: int) -> tuple[Any, str]:
        whole = Coordinator(settings_of(privacy), LAYOUT, np.zeros(SIZE, np.float32), run="r", secret=SECRET)
        seen = 0

        def heard(event: Any) -> None:
            nonlocal seen
            seen += 1
            if seen == kill:
                raise Killed

        grid = grid_of(4, keys, server)
        for end in (kill, 0):
            kill = end
            one = Server(whole, folder, server, {n: k.public for n, k in keys.items()}, durable=False)
            try:
                one.run(grid, heard)
                break
            except Killed:
                one.close()  # lets go of the folder, and writes nothing
                whole = Coordinator(settings_of(privacy), LAYOUT, np.zeros(SIZE, np.float32))
                seen = 0
        one.close()
        return one.coordinator.model, one.coordinator.secret

    straight, _ = model(tmp_path / "straight", 0)
    killed, secret = model(tmp_path / "killed", after)
    np.testing.assert_array_equal(straight, killed)
    assert secret == SECRET


def test_a_server_makes_its_own_secret_and_tells_it_nobody(tmp_path: Path) -> None:
    server, told = Key(bytes(32)), []
    keys = {f"device-{i}": Key(bytes([i + 1]) * 32) for i in range(4)}
    grid = grid_of(4, keys, server)
    sent = grid.send
    grid.send = lambda client, message: (told.append(message.packed()), sent(client, message))[1]  # type: ignore
    secrets = []
    for number in range(2):
        run = settings_of(sv.Privacy(1.0, 1.0, 1e3, 1e-5))
        coordinator = Coordinator(run, LAYOUT, np.zeros(SIZE, np.float32))
        one = Server(coordinator, tmp_path / str(number), server, {n: k.public for n, k in keys.items()}, durable=False)
        secrets.append(coordinator.secret)
        if not number:
            one.run(grid)
        one.close()
    assert len(bytes.fromhex(secrets[0])) == 32
    assert secrets[0] != secrets[1]
    assert told
    assert not any(secrets[0].encode() in m or bytes.fromhex(secrets[0]) in m for m in told)
    plain = Coordinator(settings_of(None), LAYOUT, np.zeros(SIZE, np.float32))
    Server(plain, tmp_path / "plain", server, {}, durable=False).close()
    assert "secret" not in plain.state()[0]
    assert '"privacy"' not in settings_of(None).text(), "runs without are those of before"


def test_a_device_cuts_counts_and_says_neither_loss_nor_samples() -> None:
    privacy = sv.Privacy(1.0, 2.0, 1e3, 1e-5)
    ledger = Ledger(Budget(4.0, 1e-5))
    device, start, local = Private(Toward(1), privacy, ledger), np.zeros(SIZE, np.float32), {"epochs": 1}
    found = device.train(start, local, 0, None, None)
    assert np.linalg.norm(found.vector) == pytest.approx(1.0, rel=1e-5)
    assert (found.weight, found.loss, found.control) == (1, 0.0, None)
    assert ledger.spent.history == [(privacy.release(), 1)]
    device.train(start, local, 0, None, None)
    assert ledger.spent.history == [(privacy.release(), 2)], "what is made is counted"
    told = 2
    while ledger.spent.after(privacy.release()).epsilon(1e-5) <= 4:
        device.train(start, local, told, None, None)
        told += 1
    assert ledger.spent.history == [(privacy.release(), told)]
    with pytest.raises(CannotTrain, match="budget is spent"):
        device.train(start, local, told, None, None)
    with pytest.raises(CannotTrain, match="SCAFFOLD"):
        device.train(start, local, 99, start, None)


def test_local_noise_is_in_a_change_before_it_leaves() -> None:
    privacy = sv.Privacy(1.0, 3.0, 1e3, 1e-5, where="local")
    device = Private(Toward(1), privacy, Ledger(privacy.budget))
    start = np.ones(SIZE, np.float32)
    one, other = (device.train(start, {}, 0, None, None).vector for _ in range(2))
    assert (one - start).std() == pytest.approx(3.0, rel=0.15)
    assert abs(np.corrcoef(one - start, other - start)[0, 1]) < 0.2


def test_what_has_no_known_bound_is_refused() -> None:
    with pytest.raises(InvalidInput, match="Noising"):
        Private(Toward(1), sv.Privacy(1.0, 1.0, 8.0, 1e-5, where="distributed"), Ledger(Budget(1.0, 1e-5)))
    private = sv.Privacy(1.0, 1.0, 8.0, 1e-5)
    for other in (
        {"rule": "median"}, {"mode": "buffered"}, {"over": 1.5}, {"local": sv.Local(scaffold=True)},
    ):  # fmt: skip
        with pytest.raises(InvalidInput, match="privacy"):
            settings_of(private, **other)
    with pytest.raises(InvalidInput, match="another type"):
        settings_of("much")  # type: ignore[arg-type]
    with pytest.raises(InvalidInput, match="under masks"):
        settings_of(sv.Privacy(1.0, 1.0, 8.0, 1e-5, where="distributed"))
    part = Cover(LAYOUT, {"w": (tuple(range(100)),)})
    with pytest.raises(InvalidInput, match="parts of a model"):
        Coordinator(settings_of(private), LAYOUT, np.zeros(SIZE, np.float32), {"half": part})
    for bound in (0.5, 2.0**29):
        run = settings_of(sv.Privacy(1.0, 1e-5, 1e20, 1e-5), bound=bound, weights=1 << 24)
        with pytest.raises(InvalidInput, match="privacy"):
            Coordinator(run, LAYOUT, np.zeros(SIZE, np.float32))


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"clip": 0}, "clip"), ({"clip": float("inf")}, "clip"), ({"noise": 0}, "noise"), ({"epsilon": -1}, "epsilon"),
        ({"delta": 0}, "delta"), ({"delta": 1}, "delta"), ({"where": "above"}, "where"), ({"unit": "person"}, "unit"),
        ({"unit": "example"}, "unit"), ({"rate": 0}, "rate"), ({"rate": 2}, "rate"),
        ({"where": "local", "rate": 0.5}, "rate"), ({"examples": 8}, "examples"), ({"colluders": 1}, "colluders"),
        ({"where": "distributed", "colluders": -1}, "colluders"), ({"where": "distributed", "rate": 0.5}, "rate"),
        ({"where": "local", "unit": "example"}, "examples"),
        ({"where": "local", "unit": "example", "examples": 0}, "examples"),
    ],
)  # fmt: skip
def test_no_promise(given: Any, field: str) -> None:
    with pytest.raises(InvalidInput, match=field):
        sv.Privacy(**({"clip": 1.0, "noise": 1.0, "epsilon": 8.0, "delta": 1e-5} | given))


def test_gone_devices_leave_the_rest(tmp_path: Path) -> None:
    coordinator = begun(QUIET)
    coordinator.apply(Opened(0.0, {"a": "", "b": ""}, 2))
    coordinator.apply(Gone("a"))
    coordinator.apply(Taken("b", 0, 1, 0.0, Toward(2, 0.5).change))
    assert coordinator.due(0.0, dict, 2) == Closed(0.0)


def test_a_server_that_was_set_back_adds_other_noise_to_another_sum() -> None:
    """Else the two models of a round would differ by the two sums, without any noise."""
    loud, models = sv.Privacy(1.0, 2.0, 1e3, 1e-5), []
    first = begun(loud)
    copy = first.state()
    sums = ({"a": Toward(1, 0.5).change}, {"a": Toward(1, 0.5).change, "b": Toward(2, 0.5).change})
    for changes in (*sums, sums[0]):
        again = begun(loud, secret="")
        again.load(json.loads(json.dumps(copy[0])), {n: a.copy() for n, a in copy[1].items()})
        taken(again, changes)
        again.apply(Closed(1.0))
        models.append(again.model)
    apart = models[1] - models[0] - Toward(2, 0.5).change / 4
    assert apart.std() == pytest.approx(2 * 2**0.5 / 4, rel=0.15)
    np.testing.assert_array_equal(models[0], models[2], err_msg="and the same to the same")


def test_nobody_else_reads_the_folder_of_a_server(tmp_path: Path) -> None:
    """Its journal has the secret; a folder of before, or one that was made for it, is closed to others."""
    folder = tmp_path / "run"
    folder.mkdir(mode=0o755)
    server, keys = Key(bytes(32)), {f"device-{i}": Key(bytes([i + 1]) * 32) for i in range(4)}
    for rounds in (1, 3):
        coordinator = Coordinator(
            settings_of(sv.Privacy(1.0, 1.0, 1e3, 1e-5), rounds=3), LAYOUT, np.zeros(SIZE, np.float32)
        )
        one = Server(coordinator, folder, server, {n: k.public for n, k in keys.items()}, durable=False)
        modes = {p.name: stat.S_IMODE(p.stat().st_mode) for p in folder.iterdir()}
        assert set(modes.values()) == {0o600}, modes
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        if rounds == 3:
            one.run(grid_of(4, keys, server))
            assert {stat.S_IMODE(p.stat().st_mode) for p in folder.iterdir()} == {0o600}
        one.close()
        for path in folder.iterdir():
            path.chmod(0o644)
        folder.chmod(0o755)
    new = Server(
        Coordinator(settings_of(QUIET), LAYOUT, np.zeros(SIZE, np.float32)), tmp_path / "a" / "new", server, {},
        durable=False,
    )  # fmt: skip
    assert stat.S_IMODE((tmp_path / "a" / "new").stat().st_mode) == 0o700
    new.close()
