"""Masked rounds of devices that an authority vouches for: a server that makes up a device, or goes on with one that was
revoked, gets no sum. Each with the same run beside it that does get one."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from selvedge.federate.client.masking import Masking
from selvedge.federate.client.papers import Papers
from selvedge.federate.client.participant import Participant
from selvedge.federate.client.store import InMemory
from selvedge.federate.coordinator import Closed, Coordinator, Event
from selvedge.federate.federation import Federation
from selvedge.federate.grid.virtual import Device, VirtualGrid
from selvedge.federate.identity import credential, request
from selvedge.federate.identity.authority import Authority, begun
from selvedge.federate.keys import Key
from selvedge.federate.masked import Masked
from selvedge.federate.server import Server

from ..toward import LAYOUT, SERVER, Toward, name

COUNT = 4
KEYS = [Key() for _ in range(COUNT)]


def no_pin(token: str) -> str:
    raise AssertionError("no token is asked for")


class Fleet:
    """Devices 0 to 3, as ``authority`` has enrolled them; the last ``made_up`` of them the server has made up."""

    def __init__(self, authority: Authority, folder: Path, made_up: int = 0) -> None:
        self.folder, self.authority = folder, authority
        self.papers: list[Papers] = []
        self.log: list[str] = []
        root, now = authority.register.root, int(time.time())
        for i, key in enumerate(KEYS):
            if i < COUNT - made_up:
                shown = authority.sign(request.made(name(i), "", now, key), 365, 30).data
            else:
                shown = credential.made(name(i), key.public, "", i + 1, 0, now + 10**6, SERVER).data
            self.papers.append(Papers(shown, root, folder / f"{i}"))
        self.publish()

    def publish(self) -> None:
        for papers in self.papers:
            papers.learn(self.authority.published().packed())

    def run(self, server: Server, believing: bool = False, heard: object = None) -> Coordinator:
        """To the end. believing: a copy of the devices that takes any credential of a name for its own."""
        devices = {}
        for i, papers in enumerate(self.papers):
            trust = (lambda name, shown: credential.read(shown).public) if believing else papers.trust.open
            masking = Masking(trust, papers.credential)
            trainer = Toward(np.full(LAYOUT.size, 1.0 + i))
            participant = Participant(name(i), KEYS[i], SERVER.public, trainer, InMemory(), i, masking)
            devices[name(i)] = Device(participant.handle)
        server.run(VirtualGrid(devices), heard if callable(heard) else lambda event: None)
        server.close()
        return server.coordinator

    def server(self, folder: str) -> Server:
        settings = Federation(
            "tried",
            rounds=4,
            clients=COUNT,
            least=3,
            deadline=5.0,
            patience=1,
            up="int8",
            masked=Masked(bits=8, members=3),
        )
        coordinator = Coordinator(settings, LAYOUT, np.zeros(LAYOUT.size, np.float32))
        known = {name(i): key.public for i, key in enumerate(KEYS)}
        return Server(coordinator, self.folder / folder, SERVER, known, self.log.append)


@pytest.fixture
def authority(tmp_path: Path) -> Iterator[Authority]:
    with begun(tmp_path / "authority", int(time.time()), no_pin, 30) as made:
        yield made


def test_whom_the_authority_vouches_for_add_up(authority: Authority, tmp_path: Path) -> None:
    fleet = Fleet(authority, tmp_path)
    done = fleet.run(fleet.server("run"))
    assert (done.phase, [m.changes for m in done.moved]) == ("done", [COUNT] * 4)
    assert np.all(done.model > 0)


def test_a_device_that_the_server_has_made_up_gets_it_no_sum(authority: Authority, tmp_path: Path) -> None:
    fleet = Fleet(authority, tmp_path, made_up=1)
    server = fleet.server("run")
    stopped = fleet.run(server)
    assert (stopped.phase, stopped.moved) == ("stopped", [])
    assert not stopped.model.any()
    assert any("device-003 has a credential of an authority that is not trusted here" in why for why in fleet.log)
    believing = fleet.run(fleet.server("believing"), believing=True)
    assert believing.phase == "done", "without the check the server has its sum"


def test_a_revoked_device_is_in_no_sum_from_the_next_round_on(authority: Authority, tmp_path: Path) -> None:
    """Though the server goes on with it; the round under way is not disturbed, one without it is summed."""
    fleet = Fleet(authority, tmp_path)
    server = fleet.server("run")

    def heard(event: Event) -> None:
        if isinstance(event, Closed) and server.coordinator.version == 2:
            authority.revoke([name(3)], "stolen", 30)
            fleet.publish()

    stopped = fleet.run(server, heard=heard)
    assert (stopped.phase, [m.changes for m in stopped.moved]) == ("stopped", [COUNT] * 2)
    assert any("device-003 has a credential that was revoked" in why for why in fleet.log)
    honest = fleet.server("honest")
    honest.devices.pop(name(3))
    done = fleet.run(honest)
    assert (done.phase, [m.changes for m in done.moved]) == ("done", [COUNT - 1] * 4)
