"""A run over HTTPS of devices that an authority vouches for: who comes in, who is put out in the middle of it, and that
no private key is anywhere but where it is kept."""

from __future__ import annotations

import base64
import shutil
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from selvedge.errors import InvalidInput
from selvedge.face.federating import enrolled
from selvedge.face.federating.enrolled import Enrolled
from selvedge.federate.client.https import CREDENTIAL, Connection, join
from selvedge.federate.client.papers import DIGEST, Papers
from selvedge.federate.client.participant import Participant
from selvedge.federate.client.store import InFile
from selvedge.federate.coordinator import Closed, Coordinator, Event, Opened
from selvedge.federate.federation import Federation
from selvedge.federate.grid.grid import Delivery
from selvedge.federate.grid.https import HttpsGrid
from selvedge.federate.identity import armour, credential, request
from selvedge.federate.identity.authority import DAY, PUBLISHED, begun, opened
from selvedge.federate.keys import Key
from selvedge.federate.message import Refused
from selvedge.federate.secret import keep
from selvedge.federate.server import Server

from ..toward import LAYOUT, SERVER, Toward, name

KEYS = [Key() for _ in range(3)]


def no_pin(token: str) -> str:
    raise AssertionError("no token is asked for")


def shown(folder: Path, i: int) -> bytes:
    return armour.read(armour.CREDENTIAL, (folder / "credentials" / f"{name(i)}.pem").read_text())


@pytest.fixture
def authority(tmp_path: Path) -> Path:
    """An authority that has enrolled three devices."""
    folder = tmp_path / "authority"
    with begun(folder, int(time.time()), no_pin, 30) as made:
        for i, key in enumerate(KEYS):
            made.sign(request.made(name(i), "", 0, key), 365, 30)
    shutil.copy(folder / PUBLISHED, tmp_path / PUBLISHED)
    return folder


class Looking(HttpsGrid):
    """Looks at who may take part between two messages, as the command does; nobody waits for anything here."""

    vouched: Enrolled
    server: Server

    def look(self) -> None:
        if self.vouched.changed():
            self.server.devices = self.vouched.keys
            self.allow(self.vouched.keys, self.vouched.parts)

    def receive(self, until: float) -> Delivery | None:
        self.look()
        return super().receive(until)


class Recording(Connection):
    """All that goes over the wire, within TLS."""

    def __init__(self, url: str, trusted: Path, wire: list[bytes]) -> None:
        super().__init__(url, trusted)
        self._wire = wire

    def ask(self, path: str, data: bytes, most: int) -> tuple[int, bytes, float]:
        found = super().ask(path, data, most)
        self._wire += [path.encode(), data, found[1]]
        return found


class Run:
    """A server in ``folder`` and what was said; devices join it by :meth:`device`."""

    def __init__(self, folder: Path, certificate: tuple[Path, Path], rounds: int) -> None:
        self.folder, self.trusted = folder, certificate[0]
        self.wire, self.log = list[bytes](), list[str]()
        self.asked: list[tuple[str, ...]] = []
        self.over = threading.Event()
        self.threads: list[threading.Thread] = []
        self.vouched = Enrolled(folder / PUBLISHED, folder / "run" / "credentials", ("",), self.log.append)
        settings = Federation("tried", rounds=rounds, clients=2, least=2, deadline=30.0, over=1.5, up="int8")
        coordinator = Coordinator(settings, LAYOUT, np.zeros(LAYOUT.size, np.float32))
        self.server = Server(coordinator, folder / "run" / "journal", SERVER, self.vouched.keys, self.log.append)
        self.grid = Looking(
            "127.0.0.1", 0, *certificate, self.vouched.keys, "tried", 1 << 20, again=0.02, log=self.log.append,
            present=self.vouched.present,
        )  # fmt: skip
        self.grid.vouched, self.grid.server = self.vouched, self.server
        self.vouched.now_known = lambda: self.grid.allow(self.vouched.keys, self.vouched.parts)
        self.papers: dict[int, Papers] = {}

    def device(self, i: int, shown: bytes) -> None:
        store = self.folder / f"state{i}"
        keep(store / "device.key", KEYS[i].secret.hex().encode())
        self.papers[i] = Papers(shown, self.vouched.root, store)
        connection = Recording(f"https://localhost:{self.grid.port}", self.trusted, self.wire)
        trainer = Toward(np.full(LAYOUT.size, 1.0 + i))
        participant = Participant(name(i), KEYS[i], SERVER.public, trainer, InFile(store / "state"), seed=i)
        thread = threading.Thread(
            target=join, args=(participant, KEYS[i], "tried", connection, 1 << 20),
            kwargs={"papers": self.papers[i], "ended": self.over.is_set, "log": self.log.append,
                    "sleep": lambda seconds: time.sleep(min(seconds, 0.05))},
        )  # fmt: skip
        self.threads.append(thread)
        thread.start()

    def heard(self, event: Event) -> None:
        if isinstance(event, Opened):
            self.asked.append(event.asked)

    def close(self) -> None:
        self.over.set()
        for thread in self.threads:
            thread.join(20)
        self.server.close()
        self.grid.close()


@pytest.fixture
def run(
    authority: Path, certificate: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Run]:
    monkeypatch.setattr(enrolled, "OFTEN", 0.0)
    made = Run(tmp_path, certificate, 8)
    yield made
    made.close()


def found_in(secret: bytes, data: bytes) -> bool:
    """As it is, and as text would have it."""
    within = (base64.b64encode(bytes(pad) + secret)[pad and 4 : -4] for pad in range(3))
    return any(form in data for form in (secret, secret.hex().encode(), secret.hex().upper().encode(), *within))


def test_a_run_of_vouched_devices_one_of_which_is_revoked_in_it(run: Run, authority: Path, tmp_path: Path) -> None:
    """Nobody is on a list: the server knows whom the authority vouches for. From the round behind the revocation on it
    asks that device no more, and the others do not believe it either. No private key is in the journal, in what was
    said, on the wire, or in any file but its own."""
    for i in range(3):
        run.device(i, shown(authority, i))

    def heard(event: Event) -> None:
        run.heard(event)
        if isinstance(event, Closed) and run.server.coordinator.version == 4:
            with opened(authority, int(time.time()), no_pin) as made:
                made.revoke([name(2)], "stolen", 30)
            shutil.copy(authority / PUBLISHED, tmp_path / PUBLISHED)
            run.grid.look()

    end = time.monotonic() + 60
    while len(run.grid.here()) < 3:
        assert time.monotonic() < end, run.log
        time.sleep(0.01)
    run.grid.look()
    run.server.run(run.grid, heard)
    assert run.server.coordinator.phase == "done"
    assert all(name(2) in of for of in run.asked[:4])
    assert not any(name(2) in of for of in run.asked[4:])
    assert any("put out: device-002 has a credential that was revoked, serial 3" in line for line in run.log)
    for i in (0, 1):
        assert run.papers[i].trust.open(name(1 - i), shown(authority, 1 - i)) == KEYS[1 - i].public
        with pytest.raises(Refused, match="was revoked"):
            run.papers[i].trust.open(name(2), run.papers[2].credential)
        again = Papers(b"", run.vouched.root, tmp_path / f"state{i}")  # over a restart, whatever a server then says
        with pytest.raises(Refused, match="was revoked"):
            again.trust.open(name(2), run.papers[2].credential)
    secrets = {f"state{i}/device.key": key.secret for i, key in enumerate(KEYS)}
    secrets["authority/authority.key"] = bytes.fromhex((authority / "authority.key").read_text())
    files = {str(p.relative_to(tmp_path)): p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()}
    assert {f for f in files if "journal" in f}
    assert len(run.wire) > 50
    assert run.wire[0::3].count(CREDENTIAL.encode()) >= 2 * 8, "before each task that counted"
    wire, said = b"\0".join(run.wire), "\n".join(run.log).encode()
    for own, secret in secrets.items():
        assert [f for f, data in files.items() if found_in(secret, data)] == [own]
        assert not found_in(secret, wire)
        assert not found_in(secret, said)
        assert (tmp_path / own).stat().st_mode & 0o077 == 0
        assert found_in(secret, wire + b"x" + base64.b64encode(b"n" + secret + b"mm")), "what this test looks for"
    assert (tmp_path / "state0" / "state").stat().st_mode & 0o077 == 0


def test_who_has_no_credential_stays_out(run: Run, authority: Path) -> None:
    """Of another authority, of nobody, of another device, revoked: each is told 403, and nobody is added."""
    other = credential.made("sybil", Key().public, "", 1, 0, 1 << 36, Key()).data
    root = Key(bytes.fromhex((authority / "authority.key").read_text()))
    kinds = credential.made("board", Key().public, "esp32", 9, 0, 1 << 36, root).data
    twin = credential.made("twin", KEYS[0].public, "", 10, 0, 1 << 36, root).data
    connection = Connection(f"https://localhost:{run.grid.port}", run.trusted)

    def status(data: bytes) -> int:
        return connection.ask(CREDENTIAL, bytes(DIGEST) + data, Papers.most)[0]

    good = shown(authority, 0)
    assert [status(data) for data in (other, good[:-1], b"", kinds, good)] == [403, 403, 403, 403, 200]
    assert status(twin) == 403
    assert list(run.vouched.keys) == [name(0)]
    assert connection.ask(CREDENTIAL, b"x" * 5000, 100)[0] == 413
    connection.close()
    assert any("an authority that is not trusted here" in line for line in run.log)
    assert any("board is a esp32; this run has" in line for line in run.log)
    assert any("twin has the key of another device" in line for line in run.log)


def test_a_server_that_comes_back_knows_its_devices_and_their_newest_keys(authority: Path, tmp_path: Path) -> None:
    clock = [time.time()]

    def server() -> Enrolled:
        return Enrolled(tmp_path / PUBLISHED, tmp_path / "kept", ("",), lambda line: None, lambda: clock[0])

    def present(of: Enrolled, data: bytes) -> int:
        return of.present(bytes(DIGEST) + data)[0]

    first, other = server(), Key()
    old = shown(authority, 0)
    assert [present(first, shown(authority, i)) for i in range(2)] == [200, 200]
    with opened(authority, int(clock[0]), no_pin) as made:
        made.sign(request.made(name(0), "", 0, other, KEYS[0]), 365, 30)
    assert server().keys == {name(0): KEYS[0].public, name(1): KEYS[1].public}
    # The new key by its credential, before the list is here that has the old one.
    assert present(first, shown(authority, 0)) == 200
    assert present(first, old) == 200
    assert first.keys[name(0)] == other.public, "the newer one holds"
    clock[0] += 400 * DAY
    assert server().keys == {}


def test_an_authoritys_file_that_goes_back_or_breaks_changes_nothing(
    authority: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(enrolled, "OFTEN", 0.0)
    notes: list[str] = []
    path, before = tmp_path / PUBLISHED, (tmp_path / PUBLISHED).read_bytes()
    of = Enrolled(path, tmp_path / "kept", ("",), notes.append)
    for i in range(2):
        of.present(bytes(DIGEST) + shown(authority, i))
    with opened(authority, int(time.time()), no_pin) as made:
        made.revoke([name(0)], "", 30)
    for data, said in (
        ((authority / PUBLISHED).read_bytes(), "put out: device-000 has a credential that was revoked"),
        (before, "a list of revocations of number 1, where 2 is known; what was known before counts"),
        (b"junk", "no SELVEDGE AUTHORITY in it"),
    ):
        path.write_bytes(data)
        of.changed()
        assert said in notes[-1]
        assert list(of.keys) == [name(1)]
    with pytest.raises(InvalidInput, match=r"give the authority\.pem of its folder"):
        enrolled.read(path)


def test_a_file_of_what_is_known_that_is_damaged_is_said(authority: Path, tmp_path: Path) -> None:
    """Not begun anew: whoever can damage it could else bring a revoked device back."""
    root = enrolled.read(tmp_path / PUBLISHED).root
    papers = Papers(b"", root, tmp_path / "state")
    papers.learn(enrolled.read(tmp_path / PUBLISHED).packed())
    (path,) = (tmp_path / "state").iterdir()
    path.write_text("junk")
    with pytest.raises(InvalidInput, match="it cannot be read"):
        Papers(b"", root, tmp_path / "state")
