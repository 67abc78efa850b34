"""What is of each device, where there are many: the roster, numbers by name, and whom a round asks."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from selvedge.errors import InvalidInput
from selvedge.federate import roster
from selvedge.federate.coordinator import Coordinator, Opened
from selvedge.federate.federation import Federation
from selvedge.federate.grid.faults import Faults
from selvedge.federate.grid.virtual import Device, VirtualGrid
from selvedge.federate.names import names
from selvedge.federate.roster import Roster
from selvedge.federate.server import Server
from selvedge.federate.tally import RECENT, Tally
from selvedge.learn.draws import Draws

from .toward import LAYOUT, SERVER, World, key, name

NAMES = st.text(st.characters(min_codepoint=1, exclude_categories=["Cs"]), min_size=1, max_size=9)


@given(st.dictionaries(NAMES, st.binary(min_size=32, max_size=32), max_size=20), NAMES)
def test_a_roster_is_the_dictionary_that_it_was_made_of(devices: dict[str, bytes], other: str) -> None:
    found = Roster(devices.items())
    assert list(found.items()) == list(devices.items())
    assert (other in found, found.get(other), len(found)) == (other in devices, devices.get(other), len(devices))


def test_a_name_with_the_mark_of_another_has_not_its_key(monkeypatch: pytest.MonkeyPatch) -> None:
    found = Roster([("a", bytes(32))])
    monkeypatch.setattr(roster, "_mark", lambda data: int(found._marks[0]))
    assert found.get("a") == bytes(32)
    assert found.get("b") is None


@pytest.mark.parametrize(
    ("devices", "says"), [([("a", bytes(31))], "key of a.*31"), ([("b", bytes(32)), ("b", bytes(32))], "b.*twice")]
)
def test_what_is_no_roster(devices: list[tuple[str, bytes]], says: str) -> None:
    with pytest.raises(InvalidInput, match=says):
        Roster(devices)


@given(st.lists(st.tuples(NAMES, st.one_of(st.none(), st.integers(-1, 1 << 62))), max_size=60), st.integers(0, 9))
def test_a_tally_is_a_dictionary(steps: list[tuple[str, int | None]], recent: int) -> None:
    """A number: that is put; None: what there is, is taken away."""
    meant: dict[str, int] = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("selvedge.federate.tally.RECENT", recent)
        found = Tally()
        for step, number in steps:
            if number is None:
                assert found.pop(step, None) == meant.pop(step, None)
            else:
                found[step] = meant[step] = number
            assert (len(found), found.get(step)) == (len(meant), meant.get(step))
        assert dict(found) == dict(Tally.of(found.state_dict())) == dict(Tally(meant)) == meant
        assert list(found) == sorted(meant)


@given(st.lists(NAMES, max_size=30))
def test_names_are_in_the_order_of_sorted(given_: list[str]) -> None:
    assert [n.decode() for n in names(given_)] == sorted(given_)


def test_a_round_asks_whom_the_draws_name_among_all_in_order(tmp_path: Path) -> None:
    """The definition: of those that are free, in the order of their names, the ones with the smallest words."""
    of = Federation("many", rounds=1, clients=5, seed=9)
    coordinator = Coordinator(of, LAYOUT, np.zeros(LAYOUT.size, np.float32))
    here = {f"device-{i}": "" for i in range(1, 200)}
    began = coordinator.due(0.0, lambda: here)
    assert began is not None
    coordinator.apply(began)
    opened = coordinator.due(1.0, lambda: here)
    assert isinstance(opened, Opened)
    words = Draws(coordinator.seed(0)).words(len(here))
    order = sorted(range(len(here)), key=lambda i: int(words[i]))[: of.asked]
    assert list(opened.asked) == [sorted(here)[i] for i in sorted(order)]
    assert opened.population == len(here)


def test_who_is_here_is_looked_up_and_is_the_same(tmp_path: Path) -> None:
    asked: list[str] = []

    class Made(Mapping[str, Device]):
        def __getitem__(self, client: str) -> Device:
            asked.append(client)
            return Device(lambda data: None, part="small" if client == name(1) else "")

        def __iter__(self) -> Any:
            return map(name, range(40))

        def __len__(self) -> int:
            return 40

    grid = VirtualGrid(Made(), 4, Faults(cut=0.3, partitions=((0.0, 10.0),)))
    random = np.random.default_rng([31, 4])
    cut = {name(i) for i in range(40) if random.random() < 0.3}
    assert not asked
    assert dict(grid.here()) == {n: "small" if n == name(1) else "" for n in map(name, range(40)) if n not in cut}
    known = Roster((name(i), key(i).public) for i in range(0, 40, 2))
    settings = Federation("many", rounds=1, clients=3, seed=1)
    server = Server(Coordinator(settings, LAYOUT, np.zeros(LAYOUT.size, np.float32)), tmp_path, SERVER, known)
    found = server._known(grid)
    assert sorted(found) == sorted(set(map(name, range(0, 40, 2))) - cut)
    assert (len(found), name(1) in found) == (len(list(found)), False)
    server.close()


def test_many_devices_make_the_same_model_and_go_on(tmp_path: Path) -> None:
    """With a roster, and more of them than a tally has loose; what was used last is there again after an end."""
    count = RECENT + 40
    of = Federation("many", rounds=2, clients=count, seed=3)
    bits = []
    for way, devices in (
        ("roster", Roster((name(i), key(i).public) for i in range(count))),
        ("dictionary", {name(i): key(i).public for i in range(count)}),
    ):
        world = World(of, count, tmp_path / way)
        coordinator = Coordinator(of, LAYOUT, np.zeros(LAYOUT.size, np.float32))
        server = Server(coordinator, world.folder, SERVER, devices, durable=False)
        server.run(world.grid)
        server.close()
        again = world.server()
        assert dict(again.coordinator.last) == dict(coordinator.last) == {name(i): 1 for i in range(count)}
        again.close()
        bits.append(coordinator.model.tobytes())
    assert bits[0] == bits[1]
