"""Real servers on loopback: devices join over TLS, some are killed and come back, and what is odd is sent away."""

from __future__ import annotations

import http.client
import ssl
import subprocess
import sys
import threading
import time
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

from .toward import DEVICES, LAYOUT, SERVER, Toward, key, name


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
    odd = ("https://localhost:99999", "https://localhost:x", "https://localhost:0", "https://[::1")
    for url in ("http://localhost", "localhost:1", "https://", "https://localhost/x", *odd):
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


class Counting(Connection):
    """``tasks``: models that were downloaded. cut: ends the connection before each update, as a server that waited."""

    def __init__(self, *given: Any, cut: bool = False) -> None:
        super().__init__(*given)
        self.tasks, self.tries, self._cut = 0, 0, cut

    def ask(self, path: str, data: bytes, most: int) -> tuple[int, bytes, float]:
        if path == UPDATE:
            self.tries += 1
            if self._cut and self.tries % 2:
                self.close()
                raise ConnectionResetError("cut")
        status, body, wait = super().ask(path, data, most)
        self.tasks += path == POLL and status == 200
        return status, body, wait


@pytest.mark.parametrize("cut", [False, True], ids=["idle", "cut"])
def test_a_model_is_downloaded_once_however_long_training_takes(
    cut: bool, certificate: tuple[Path, Path], tmp_path: Path
) -> None:
    """The server ends idle connections after a second here, and a device trains for longer."""
    grid = HttpsGrid("127.0.0.1", 0, *certificate, DEVICES, "tried", 1 << 20, again=0.02, keep_alive=1)
    connection = Counting(f"https://localhost:{grid.port}", certificate[0], cut=cut)
    device_, train = participant(0, tmp_path), Toward.train

    class Slow(Toward):
        def train(self, *given: Any) -> Any:
            time.sleep(0 if cut else 2.5)
            return train(self, *given)

    device_._trainer = Slow(np.ones(LAYOUT.size))
    over, said = threading.Event(), []
    thread = threading.Thread(
        target=lambda: join(
            device_,
            key(0),
            "tried",
            connection,
            1 << 20,
            ended=over.is_set,
            log=said.append,
            sleep=lambda s: over.wait(0.02),
        )
    )
    settings = Federation("tried", rounds=2, clients=1, deadline=60.0)
    running = Server(
        Coordinator(settings, LAYOUT, np.zeros(LAYOUT.size, np.float32)), tmp_path / "run", SERVER, DEVICES
    )
    thread.start()
    try:
        running.run(grid)
    finally:
        over.set()
        thread.join(20)
        running.close()
        grid.close()
    assert running.coordinator.phase == "done"
    assert connection.tasks == 2
    assert cut or not [line for line in said if "no answer" in line]


def test_what_is_not_signed_waits_for_nothing_and_a_device_has_one_update_that_waits(
    certificate: tuple[Path, Path],
) -> None:
    said: list[str] = []
    grid = HttpsGrid("127.0.0.1", 0, *certificate, DEVICES, "tried", 1 << 20, log=said.append)
    head = {"run": "tried/1", "task": 0, "weight": 1, "loss": 0.5, "control": False, "have": -1}

    def update(i: int, by: int) -> bytes:
        return made("update", {**head, "client": name(i)}, bytes(1000), key(by)).packed()

    def ask(data: bytes, answers: list[int]) -> None:
        connection = Connection(f"https://localhost:{grid.port}", certificate[0])
        answers.append(connection.ask(UPDATE, data, 1000)[0])
        connection.close()

    answers: list[int] = []
    try:
        for data in (update(0, by=1), update(9, by=9), b"x" * 5000):
            ask(data, answers)
        assert answers == [403] * 3
        assert grid._coming.qsize() == 0
        assert dict(grid.refused) == {"not signed by who it says it is of": 1, "of nobody who is known here": 2}
        assert len(said) == 3
        waits: list[int] = []
        thread = threading.Thread(target=ask, args=(update(0, by=0), waits))
        thread.start()
        first = None
        end = time.monotonic() + 20
        while first is None and time.monotonic() < end:
            first = grid.receive(grid.now() + 0.1)
        assert first is not None
        ask(update(0, by=0), answers)
        assert answers[3] == 503
        assert grid._coming.qsize() == 0
        grid.done(first)
        thread.join(20)
        assert waits == [202]
        assert (grid._unsigned, grid._waits) == (0, 0)
    finally:
        grid.close()


def test_many_tasks_are_one_body_and_what_is_over_is_let_go_of(grid: HttpsGrid) -> None:
    body = bytes(100_000)
    task = {"run": "tried/1", "task": 0, "version": 0, "base": -1, "layout": "", "window": 0, "down": "float32",
            "difference": False, "up": "int8", "seed": 1, "model_seed": 1, "local": {}, "taken": -1}  # fmt: skip
    for i in range(3):
        grid.send(name(i), made("task", {**task, "client": name(i)}, body, SERVER))
    assert all(grid._tasks[name(i)].body is body for i in range(3))
    grid.withdraw(name(0))
    assert set(grid._tasks) == {name(1), name(2)}


def test_no_clock_of_the_day_turns_the_grids_back(grid: HttpsGrid, monkeypatch: pytest.MonkeyPatch) -> None:
    before = grid.now()
    assert abs(before - time.time()) < 60  # what a journal has is comparable after a restart
    monkeypatch.setattr(time, "time", lambda: 0.0)
    assert grid.now() >= before
