"""The device's own HTTP beside Python's: the same of what is HTTP/1.1, and one kind of error for what is none."""

from __future__ import annotations

import contextlib
import http.client
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from selvedge.federate.client.https import FIELDS, LINE, Connection, Garbled, join
from selvedge.federate.client.participant import Participant
from selvedge.federate.client.store import InMemory

from .toward import LAYOUT, SERVER, Toward, key, name

OK = b"HTTP/1.1 200 OK\r\n"
GOOD = {
    "a length": OK + b"Content-Length: 5\r\n\r\nhello",
    "small letters, spaces": OK + b"content-LENGTH:   5  \r\nRetry-After: 2.5\r\n\r\nhello",
    "no body": b"HTTP/1.1 204 No Content\r\nRetry-After: 7\r\n\r\n",
    "chunks": OK + b"Transfer-Encoding: chunked\r\n\r\n3;x=y\r\nhel\r\n2\r\nlo\r\n0\r\nX: y\r\n\r\n",
    "to the end": OK + b"\r\nhello",
    "HTTP/1.0": b"HTTP/1.0 403 Forbidden\r\nContent-Length: 5\r\n\r\nhello",
    "continue": b"HTTP/1.1 100 Continue\r\nX: y\r\n\r\n" + OK + b"Content-Length: 5\r\n\r\nhello",
    "no phrase": b"HTTP/1.1 503\r\nContent-Length: 5\r\nRetry-After: x\r\n\r\nhello",
    "bare lines": b"HTTP/1.1 200 OK\nContent-Length: 5\n\nhello",
    "closes": OK + b"Connection: close\r\nContent-Length: 5\r\nRetry-After: 1e9\r\n\r\nhello",
}
BAD = {
    "nothing": b"",
    "no HTTP": b"SSH-2.0-OpenSSH\r\n\r\n",
    "no status": b"HTTP/1.1 OK\r\n\r\n",
    "half a head": OK + b"Content-Length: 5\r\n",
    "half a line": b"HTTP/1.1 20",
    "no colon": OK + b"hello\r\n\r\n",
    "half a body": OK + b"Content-Length: 50\r\n\r\nhello",
    "a length of words": OK + b"Content-Length: five\r\n\r\nhello",
    "less than none": OK + b"Content-Length: -5\r\n\r\nhello",
    "more than is due": OK + b"Content-Length: 5000000\r\n\r\n" + bytes(5000),
    "more, to the end": OK + b"\r\n" + bytes(5000),
    "more, in chunks": OK + b"Transfer-Encoding: chunked\r\n\r\nff\r\n" + bytes(255) + b"\r\nffff\r\n" + bytes(5000),
    "half a chunk": OK + b"Transfer-Encoding: chunked\r\n\r\nff\r\nhello",
    "a chunk of words": OK + b"Transfer-Encoding: chunked\r\n\r\nx\r\nhello\r\n0\r\n\r\n",
    "a long line": OK + b"X: " + bytes(2 * LINE),
    "many fields": OK + b"".join(b"X%d: y\r\n" % i for i in range(2 * FIELDS)) + b"\r\n",
}
Answering = Callable[[bytes], Connection]


@pytest.fixture
def answering(certificate: tuple[Path, Path]) -> Iterator[Answering]:
    """A connection to a server that answers whatever it is asked with these bytes, and ends."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    listening, says = socket.create_server(("127.0.0.1", 0)), list[bytes]()

    def serve() -> None:
        while True:
            with contextlib.suppress(ssl.SSLError, ConnectionError):
                raw = listening.accept()[0]
                if not says:
                    raw.close()
                    return
                with context.wrap_socket(raw, server_side=True) as one:
                    asked = b""
                    while not asked.endswith(b"question"):
                        asked += one.recv(1 << 16)
                    assert asked.startswith(b"POST /v1/poll HTTP/1.1\r\nHost: localhost:")
                    assert b"\r\nContent-Length: 8\r\n" in asked
                    one.sendall(says[-1])

    thread = threading.Thread(target=serve)
    thread.start()

    def made(said: bytes) -> Connection:
        says.append(said)
        return Connection(f"https://localhost:{listening.getsockname()[1]}", certificate[0])

    yield made
    says.clear()
    socket.create_connection(listening.getsockname()).close()
    thread.join(20)
    listening.close()


class Bytes:
    """What Python's own client reads from."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def makefile(self, mode: str) -> BytesIO:
        return BytesIO(self._data)


@pytest.mark.parametrize("what", GOOD)
def test_an_answer_is_read_as_pythons_own_client_reads_it(what: str, answering: Answering) -> None:
    theirs = http.client.HTTPResponse(Bytes(GOOD[what]))  # type: ignore[arg-type]
    theirs.begin()
    wanted = theirs.status, theirs.read()
    connection = answering(GOOD[what])
    status, body, wait = connection.ask("/v1/poll", b"question", 1000)
    assert (status, body) == wanted
    assert wait == {"small letters, spaces": 2.5, "no body": 7.0}.get(what, 0.0)
    assert (connection._open is None) == (theirs.will_close or what == "to the end")
    connection.close()


@pytest.mark.parametrize("what", BAD)
def test_what_is_no_answer_is_one_kind_of_error_and_the_next_goes_well(what: str, answering: Answering) -> None:
    connection = answering(BAD[what])
    with pytest.raises(OSError) as caught:
        connection.ask("/v1/poll", b"question", 1000)
    assert isinstance(caught.value, Garbled | ssl.SSLError | ConnectionError)
    assert connection._open is None
    answering(GOOD["a length"]).close()
    assert connection.ask("/v1/poll", b"question", 1000)[:2] == (200, b"hello")
    connection.close()


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(sorted(GOOD)), st.data())
def test_any_bytes_are_an_answer_or_an_error(answering: Answering, what: str, data: st.DataObject) -> None:
    said = bytearray(GOOD[what])
    for _ in range(data.draw(st.integers(1, 4))):
        said[data.draw(st.integers(0, len(said) - 1))] = data.draw(st.integers(0, 255))
    connection = answering(bytes(said[: data.draw(st.integers(0, len(said)))]))
    with contextlib.suppress(OSError):
        status, body, wait = connection.ask("/v1/poll", b"question", 1000)
        assert 200 <= status <= 999
        assert len(body) <= 1000
        assert 0 <= wait <= 300
    connection.close()


# -- a server that takes its time -----------------------------------------------------------------------------------

PAUSE, LONG = 0.1, 12.0  # seconds between two bytes, and of all of them
DRIPS = {
    "a head": (b"", b"HTTP/1.1 200 OK\r\nX: " + bytes(1000)),
    "a body": (OK + b"Content-Length: 900\r\n\r\n", bytes(900)),
    "chunks": (OK + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n" * 150),
    "to the end": (OK + b"\r\n", bytes(900)),
    "what says nothing": (b"HTTP/1.1 100 Continue\r\n\r\n" * 1000, b"HTTP/1.1 100 Continue\r\n\r\n" * 40),
}
Serving = Callable[[Callable[[ssl.SSLSocket], None]], str]


@pytest.fixture
def serving(certificate: tuple[Path, Path]) -> Iterator[Serving]:
    """A server that does what it is given with each connection, one after the other; its address."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    listening, over = socket.create_server(("127.0.0.1", 0)), threading.Event()
    threads: list[threading.Thread] = []

    def made(what: Callable[[ssl.SSLSocket], None]) -> str:
        def serve() -> None:
            while not over.is_set():
                raw = listening.accept()[0]
                if over.is_set():
                    raw.close()
                    return
                with contextlib.suppress(OSError), context.wrap_socket(raw, server_side=True) as one:
                    what(one)

        threads.append(threading.Thread(target=serve))
        threads[-1].start()
        return f"https://localhost:{listening.getsockname()[1]}"

    yield made
    over.set()
    for thread in threads:
        socket.create_connection(listening.getsockname()).close()
        thread.join(20)
    listening.close()


def dripped(to: ssl.SSLSocket, data: bytes) -> None:
    """A byte now and then, until the other side goes."""
    end = time.monotonic() + LONG
    for i in range(len(data)):
        to.sendall(data[i : i + 1])
        time.sleep(PAUSE)
        if time.monotonic() > end:
            return


@pytest.mark.parametrize("what", DRIPS)
def test_a_server_that_says_a_byte_now_and_then_holds_nobody(
    what: str, serving: Serving, certificate: tuple[Path, Path]
) -> None:
    """Each byte is there long before a socket's own timeout is over."""
    at_once, drips = DRIPS[what]

    def answer(to: ssl.SSLSocket) -> None:
        to.recv(1 << 16)
        to.sendall(at_once)
        dripped(to, drips)

    connection, begun = Connection(serving(answer), certificate[0], 10 * PAUSE), time.monotonic()
    with pytest.raises(TimeoutError):
        connection.ask("/v1/poll", b"question", 1000)
    assert time.monotonic() - begun < LONG - 1
    assert connection._open is None


def test_a_server_that_reads_nothing_holds_nobody(serving: Serving, certificate: tuple[Path, Path]) -> None:
    """However much the machines between have room for."""

    gone = threading.Event()

    def read(to: ssl.SSLSocket) -> None:
        while not gone.wait(PAUSE) and time.monotonic() < begun + LONG:
            to.recv(10)

    connection, begun = Connection(serving(read), certificate[0], 5 * PAUSE), time.monotonic()
    with pytest.raises(TimeoutError):
        connection.ask("/v1/update", bytes(1 << 26), 1000)
    gone.set()
    assert time.monotonic() - begun < LONG - 1


def test_a_slow_network_is_borne(serving: Serving, certificate: tuple[Path, Path]) -> None:
    """An answer that takes longer than the time that any has, and comes on all the while."""

    def answer(to: ssl.SSLSocket) -> None:
        to.recv(1 << 16)
        to.sendall(OK + b"Content-Length: 6000\r\n\r\n")
        for _ in range(20):
            to.sendall(bytes(300))
            time.sleep(PAUSE)

    connection, begun = Connection(serving(answer), certificate[0], 10 * PAUSE), time.monotonic()
    assert connection.ask("/v1/poll", b"question", 6000)[:2] == (200, bytes(6000))
    assert time.monotonic() - begun > 10 * PAUSE
    connection.close()


def test_a_device_gives_such_an_answer_up_and_asks_again(serving: Serving, certificate: tuple[Path, Path]) -> None:
    seen: list[bytes] = []

    def answer(to: ssl.SSLSocket) -> None:
        seen.append(to.recv(1 << 16))
        if len(seen) == 1:
            dripped(to, b"HTTP/1.1 200 OK\r\nX: " + bytes(1000))
        else:
            to.sendall(b"HTTP/1.1 410 Gone\r\nContent-Length: 0\r\n\r\n")

    connection, log, waited = Connection(serving(answer), certificate[0], 30 * PAUSE), list[str](), list[float]()
    one = Participant(name(0), key(0), SERVER.public, Toward(np.zeros(LAYOUT.size)), InMemory())
    begun = time.monotonic()
    assert join(one, key(0), "tried", connection, 1000, log=log.append, sleep=waited.append) == 0
    assert log[0].startswith("no answer: ")
    assert log[1:] == ["the run is over"]
    assert len(seen) == 2
    assert len(waited) == 1
    assert time.monotonic() - begun < LONG - 1
