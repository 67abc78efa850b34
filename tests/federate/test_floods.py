"""Strangers who open connections and say little, or much, or slowly: devices of the run are served all the same."""

from __future__ import annotations

import contextlib
import http.client
import resource
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from selvedge.federate.client.https import POLL, UPDATE, Connection, join
from selvedge.federate.coordinator import Coordinator
from selvedge.federate.federation import Federation
from selvedge.federate.grid.connections import SPARE, allowed
from selvedge.federate.grid.https import HEADERS, HttpsGrid
from selvedge.federate.message import made
from selvedge.federate.server import Server

from .mouth import participant
from .toward import DEVICES, LAYOUT, SERVER, key, name

Certificate = tuple[Path, Path]


@pytest.fixture
def grid(certificate: Certificate) -> Iterator[HttpsGrid]:
    made_ = HttpsGrid(
        "127.0.0.1", 0, *certificate, DEVICES, "tried", 1 << 20, again=0.02, connections=6, heads=0.4, comes=0.8
    )
    yield made_
    made_.close()


Stranger = Callable[[bytes], ssl.SSLSocket]


@pytest.fixture
def stranger(grid: HttpsGrid, certificate: Certificate) -> Iterator[Stranger]:
    """Who shakes hands, says so much, and waits."""
    context, there = ssl.create_default_context(cafile=str(certificate[0])), list[ssl.SSLSocket]()

    def said(data: bytes) -> ssl.SSLSocket:
        raw = socket.create_connection(("127.0.0.1", grid.port), 20)
        try:
            one = context.wrap_socket(raw, server_hostname="localhost")
        except OSError:
            raw.close()
            raise
        there.append(one)
        one.sendall(data)
        return one

    yield said
    for one in there:
        one.close()


def ended(of: socket.socket, drip: bytes = b"") -> bytes:
    """All that is answered until the connection is ended, to somebody who goes on saying ``drip``."""
    answer, end = bytearray(), time.monotonic() + 60
    of.settimeout(0.05)
    while True:
        assert time.monotonic() < end, "it is still open"
        try:
            of.sendall(drip)
            part = of.recv(1 << 16)
        except TimeoutError:
            continue
        except OSError:
            part = b""
        if not part:
            of.close()
            return bytes(answer)
        answer += part


def polled(grid: HttpsGrid, certificate: Certificate, now: float) -> int:
    connection = Connection(f"https://localhost:{grid.port}", certificate[0])
    try:
        data = made("poll", {"run": "tried", "client": name(0), "now": now}, b"", key(0)).packed()
        return connection.ask(POLL, data, 100)[0]
    finally:
        connection.close()


def until(done: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not done():
        assert time.monotonic() < end
        time.sleep(0.02)


HEAD = b"POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n"
LATE = {
    "no word": (b"", b"", b""),
    "half a head": (b"POST /v1/poll HT", b"", b""),
    "a head, byte by byte": (b"POST /v1/poll HTTP/1.1\r\nX: ", b"x", b""),
    "half an update": (HEAD % UPDATE.encode() + b"x", b"", b"408"),
    "an update, byte by byte": (HEAD % UPDATE.encode(), b"x", b"408"),
    "a poll, byte by byte": (HEAD % POLL.encode(), b"x", b"408"),
    "to nowhere, byte by byte": (HEAD % b"/", b"x", b"404"),
    "a second head, byte by byte": (
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\nPOST / HTTP/1.1\r\nX: ", b"x", b"404",
    ),
}  # fmt: skip


@pytest.mark.parametrize("how", LATE)
def test_who_is_slow_is_cut_off(how: str, grid: HttpsGrid, stranger: Stranger) -> None:
    said, drip, status = LATE[how]
    answer = ended(stranger(said), drip)
    assert answer.split(b" ")[1:2] == ([status] if status else [])
    until(lambda: grid._socket.open == 0)
    assert (grid._unsigned, grid._waits) == (0, 0)


def test_a_device_that_is_idle_between_two_tasks_is_not_cut_off(grid: HttpsGrid, certificate: Certificate) -> None:
    connection = Connection(f"https://localhost:{grid.port}", certificate[0])
    for now in (1.0, 2.0):
        data = made("poll", {"run": "tried", "client": name(0), "now": now}, b"", key(0)).packed()
        assert connection.ask(POLL, data, 0)[0] == 204
        held = connection._open
        time.sleep(1.2)  # longer than heads and comes
    assert connection._open is held is not None
    connection.close()


@pytest.mark.parametrize(
    "said",
    [
        b"POST /v1/poll HTTP/1.1\r\nHost: x\r\nX: " + b"x" * 2 * HEADERS,
        b"POST /" + b"x" * 2 * HEADERS, b"POST /v1/poll HTTP/1.1\r\n" + b"X: y\r\n" * HEADERS,
        b"\x16\x03\x01 hello\r\n\r\n",
        HEAD % b"/" + b"GET", b"GET / HTTP/9\r\n\r\n",
    ],
    ids=["one field", "path", "many fields", "no HTTP", "short", "version"],
)  # fmt: skip
def test_what_is_no_request_is_not_kept(
    said: bytes, grid: HttpsGrid, certificate: Certificate, stranger: Stranger
) -> None:
    with contextlib.suppress(ConnectionError, ssl.SSLEOFError):  # it may hang up while we are still writing
        answer = ended(stranger(said))
        assert answer.split(b" ")[1:2] in ([b"400"], [b"404"], [b"431"])
    assert polled(grid, certificate, 1.0) == 204


def test_nobody_speaks_another_protocol(stranger: Stranger) -> None:
    asks = b"GET /v1/poll HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    answer = ended(
        stranger(asks + b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"), b"x"
    )
    assert answer.startswith(b"HTTP/1.1 404")


def test_more_connections_than_there_may_be_are_sent_away_and_make_room(
    grid: HttpsGrid, certificate: Certificate, stranger: Stranger
) -> None:
    """Of six, five are taken by people who say nothing; a sixth is told so, and served once they are cut off."""
    silent = [stranger(b"") for _ in range(5)]
    statuses: list[int] = []
    until(lambda: statuses.append(polled(grid, certificate, 1.0 + len(statuses))) or statuses[-1] == 204)
    assert statuses[0] == 503
    for one in silent:
        assert ended(one) == b""


def test_those_who_do_not_even_shake_hands_take_no_more_sockets_than_there_are(
    grid: HttpsGrid, certificate: Certificate
) -> None:
    silent = [socket.create_connection(("127.0.0.1", grid.port), 20) for _ in range(40)]
    until(lambda: grid._socket.open == 12)
    for one in silent[12:]:
        assert ended(one) == b""
    assert grid._socket.open == 12
    for one in silent[:12]:
        one.close()
    until(lambda: grid._socket.open == 0)
    assert polled(grid, certificate, 1.0) == 204


def test_as_many_connections_as_the_process_may_have_files_open() -> None:
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (SPARE + 300, limits[1]))
    try:
        assert (allowed(1000), allowed(200)) == (300, 200)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)


def test_bytes_that_nobody_has_signed_have_a_budget(grid: HttpsGrid, stranger: Stranger) -> None:
    grid._room, grid._comes = 1 << 16, 60.0
    head = b"POST /v1/update HTTP/1.1\r\nHost: x\r\nContent-Length: 60000\r\n\r\n"

    def status(of: ssl.SSLSocket) -> int:
        answer = http.client.HTTPResponse(of)
        answer.begin()
        return answer.status

    first = stranger(head + bytes(40_000))
    until(lambda: grid._unsigned == 40_000)
    assert status(stranger(head + bytes(40_000))) == 503
    assert grid._unsigned == 40_000
    first.sendall(bytes(20_000))
    assert status(first) == 403
    until(lambda: grid._unsigned == 0)
    third = stranger(head + bytes(40_000))
    until(lambda: grid._unsigned == 40_000)
    third.close()  # who goes away in the middle gives back what was held
    until(lambda: grid._unsigned == 0)


def test_a_run_goes_on_through_a_flood(
    grid: HttpsGrid, certificate: Certificate, stranger: Stranger, tmp_path: Path
) -> None:
    """Who floods takes what there is again and again; devices try again, and all of each round are counted."""
    over = threading.Event()

    def flood(say: bytes) -> None:
        while not over.is_set():
            with contextlib.suppress(OSError):
                one = stranger(say)
                one.settimeout(0.3)
                with contextlib.suppress(OSError):
                    one.recv(100)
                one.close()

    def device(i: int) -> None:
        connection = Connection(f"https://localhost:{grid.port}", certificate[0])
        join(
            participant(i, tmp_path), key(i), "tried", connection, 1 << 20, ended=over.is_set,
            sleep=lambda seconds: bool(over.wait(min(seconds, 0.05))) and None,
        )  # fmt: skip

    floods = [b"", HEAD % UPDATE.encode() + b"x", b"POST /v1/poll HTTP/1.1\r\nX: ", b"no HTTP\r\n\r\n"]
    threads = [threading.Thread(target=flood, args=(say,)) for say in floods]
    threads += [threading.Thread(target=device, args=(i,)) for i in range(3)]
    settings = Federation("tried", rounds=3, clients=3, least=3, deadline=60.0, up="int8")
    running = Server(
        Coordinator(settings, LAYOUT, np.zeros(LAYOUT.size, np.float32)), tmp_path / "run", SERVER, DEVICES
    )
    for thread in threads:
        thread.start()
    try:
        running.run(grid)
    finally:
        over.set()
        grid.end(0)
        for thread in threads:
            thread.join(30)
        running.close()
    assert running.coordinator.phase == "done"
    assert [m.changes for m in running.coordinator.moved] == [3, 3, 3]


def test_a_server_that_is_ended_waits_for_nobody(certificate: Certificate) -> None:
    """Who waits for an answer is told to come again."""
    grid = HttpsGrid("127.0.0.1", 0, *certificate, DEVICES, "tried", 1 << 20)
    head = {"run": "tried/1", "task": 0, "client": name(0), "weight": 1, "loss": 0.5, "control": False, "have": -1}
    update, answers = made("update", head, bytes(9), key(0)).packed(), list[int]()

    def ask() -> None:
        connection = Connection(f"https://localhost:{grid.port}", certificate[0])
        answers.append(connection.ask(UPDATE, update, 0)[0])
        connection.close()

    thread = threading.Thread(target=ask)
    thread.start()
    until(lambda: grid._coming.qsize() == 1)
    assert grid.receive(grid.now() + 1) is not None
    grid.close()
    assert not grid._thread.is_alive()
    thread.join(30)
    assert answers == [503]


def test_who_waits_when_the_run_is_over_is_told_so(grid: HttpsGrid, certificate: Certificate) -> None:
    head = {"run": "tried/1", "task": 0, "client": name(0), "weight": 1, "loss": 0.5, "control": False, "have": -1}
    update, answers = made("update", head, bytes(9), key(0)).packed(), list[int]()

    def ask() -> None:
        connection = Connection(f"https://localhost:{grid.port}", certificate[0])
        answers.append(connection.ask(UPDATE, update, 0)[0])
        connection.close()

    thread = threading.Thread(target=ask)
    thread.start()
    until(lambda: grid._coming.qsize() == 1)
    grid.end(0)
    thread.join(30)
    ask()
    assert answers == [410, 410]
