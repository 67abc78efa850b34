"""Real servers on loopback: devices join over TLS, some are killed and come back, and what is odd is sent away."""

from __future__ import annotations

import http.client
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from selvedge.errors import InvalidInput
from selvedge.federate.client.https import POLL, UPDATE, Connection, join
from selvedge.federate.client.participant import Participant
from selvedge.federate.client.store import InFile
from selvedge.federate.coordinator import Coordinator
from selvedge.federate.federation import Federation
from selvedge.federate.grid.https import HttpsGrid
from selvedge.federate.message import made
from selvedge.federate.server import Server

from .toward import LAYOUT, SERVER, Toward, key, name

DEVICES = {name(i): key(i).public for i in range(3)}


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("tls")
    files = folder / "certificate.pem", folder / "key.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
         "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
         "-out", str(files[0]), "-keyout", str(files[1])],
        check=True, capture_output=True,
    )  # fmt: skip
    return files


@pytest.fixture
def grid(certificate: tuple[Path, Path]) -> Iterator[HttpsGrid]:
    made_ = HttpsGrid("127.0.0.1", 0, *certificate, DEVICES, "tried", 1 << 20, again=0.02)
    yield made_
    made_.close()


def participant(i: int, folder: Path) -> Participant:
    trainer = Toward(np.full(LAYOUT.size, 1.0 + i))
    return Participant(name(i), key(i), SERVER.public, trainer, InFile(folder / f"{i}.state"), seed=i)


def device(i: int, folder: Path, grid: HttpsGrid, trusted: Path, until: threading.Event) -> threading.Thread:
    connection = Connection(f"https://localhost:{grid.port}", trusted)

    def run() -> None:
        join(participant(i, folder), key(i), "tried", connection, 1 << 20, ended=until.is_set)

    thread = threading.Thread(target=run)
    thread.start()
    return thread


def server(folder: Path, **other: Any) -> Server:
    settings = Federation("tried", rounds=12, clients=3, least=2, deadline=30.0, up="int8", **other)
    return Server(Coordinator(settings, LAYOUT, np.zeros(LAYOUT.size, np.float32)), folder, SERVER, DEVICES)


def test_a_run_over_tls_comes_to_the_mean(certificate: tuple[Path, Path], grid: HttpsGrid, tmp_path: Path) -> None:
    over = threading.Event()
    threads = [device(i, tmp_path, grid, certificate[0], over) for i in range(3)]
    running = server(tmp_path / "run")
    try:
        all_here(grid)
        running.run(grid)
    finally:
        over.set()
        for thread in threads:
            thread.join(20)
        running.close()
    assert running.coordinator.phase == "done"
    assert [m.changes for m in running.coordinator.moved] == [3] * 12
    np.testing.assert_allclose(running.coordinator.model, 2.0, atol=0.01)
    assert not running.refused


def all_here(grid: HttpsGrid) -> None:
    end = time.monotonic() + 60
    while len(grid.here()) < 3:
        assert time.monotonic() < end, "devices did not come"
        time.sleep(0.01)


JOINS = """
import sys, threading
from pathlib import Path
from tests.federate.test_https import participant, key
from selvedge.federate.client.https import Connection, join
folder, port, trusted, i = Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3]), int(sys.argv[4])
join(participant(i, folder), key(i), "tried", Connection(f"https://localhost:{port}", trusted), 1 << 20)
"""


def test_what_is_odd_is_sent_away_and_the_run_goes_on(
    certificate: tuple[Path, Path], grid: HttpsGrid, tmp_path: Path
) -> None:
    context = ssl.create_default_context(cafile=str(certificate[0]))

    def ask(method: str, path: str, data: bytes) -> int:
        connection = http.client.HTTPSConnection("localhost", grid.port, context=context, timeout=20)
        connection.request(method, path, data)
        status = connection.getresponse().status
        connection.close()
        return status

    def poll(i: int, now: float, by: int, run: str = "tried") -> bytes:
        return made("poll", {"run": run, "client": name(i), "now": now}, b"", key(by)).packed()

    assert ask("GET", POLL, b"") == 404
    assert ask("POST", "/", b"") == 404
    assert ask("POST", POLL, b"x" * 2000) == 413
    assert ask("POST", UPDATE, b"x" * (2 << 20)) == 413
    assert ask("POST", POLL, b"hello") == 403
    assert ask("POST", POLL, poll(0, 5.0, by=1)) == 403
    assert ask("POST", POLL, poll(7, 5.0, by=7)) == 403
    assert ask("POST", POLL, poll(0, 5.0, by=0, run="another")) == 403
    assert ask("POST", POLL, poll(0, 5.0, by=0)) == 204
    assert ask("POST", POLL, poll(0, 5.0, by=0)) == 403  # the same once more: somebody caught it
    assert list(grid.here()) == [name(0)]
    assert len(DEVICES) == 3


def test_who_does_not_show_the_certificate_is_not_spoken_to(grid: HttpsGrid, tmp_path: Path) -> None:
    said: list[str] = []
    connection = Connection(f"https://localhost:{grid.port}")  # the system trusts nobody of this test
    waits: list[float] = []

    def sleep(seconds: float) -> None:
        waits.append(seconds)

    heard = join(
        participant(0, tmp_path), key(0), "tried", connection, 1000, log=said.append, sleep=sleep,
        ended=lambda: len(waits) >= 4,
    )  # fmt: skip
    assert heard == 0
    assert all("CERTIFICATE_VERIFY_FAILED" in line for line in said)
    assert not grid.here()
    for i, seconds in enumerate(waits):
        assert 0.8 * 2 ** (i + 1) <= seconds <= 1.2 * 2 ** (i + 1)


def test_addresses_and_files_that_are_none(certificate: tuple[Path, Path], grid: HttpsGrid, tmp_path: Path) -> None:
    for url in ("http://localhost", "localhost:1", "https://", "https://localhost/x"):
        with pytest.raises(InvalidInput, match="server is"):
            Connection(url)
    with pytest.raises(InvalidInput, match="certificate is"):
        Connection("https://localhost", tmp_path / "none.pem")
    with pytest.raises(InvalidInput, match="there is no such file"):
        HttpsGrid("127.0.0.1", 0, tmp_path / "none", certificate[1], DEVICES, "tried", 100)
    with pytest.raises(InvalidInput, match="not usable with"):
        HttpsGrid("127.0.0.1", 0, certificate[1], certificate[0], DEVICES, "tried", 100)
    with pytest.raises(InvalidInput, match="it cannot be had"):
        HttpsGrid("127.0.0.1", grid.port, *certificate, DEVICES, "tried", 100)


def test_a_killed_device_and_a_killed_server_come_back(
    certificate: tuple[Path, Path], grid: HttpsGrid, tmp_path: Path
) -> None:
    """Devices are processes: one is killed in the middle; the server is ended and opened again."""

    def started(i: int) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, "-c", JOINS, str(tmp_path), str(grid.port), str(certificate[0]), str(i)]
        )

    class Ended(BaseException):
        pass

    processes = {i: started(i) for i in range(3)}
    events = 0
    try:
        all_here(grid)

        def heard(event: Any) -> None:
            nonlocal events
            events += 1
            if events == 9:
                processes[1].kill()
                processes[1].wait()
                processes[1] = started(1)
            if events == 25:
                raise Ended

        running = server(tmp_path / "run")
        with pytest.raises(Ended):
            running.run(grid, heard)
        running.close()
        at = running.coordinator.version
        assert 0 < at < 12
        again = server(tmp_path / "run")
        again.run(grid)
        again.close()
    finally:
        for process in processes.values():
            process.kill()
            process.wait()
    assert again.coordinator.phase == "done"
    assert len(again.coordinator.moved) == 12
    assert abs(again.coordinator.model.mean() - 2.0) < 0.6
