"""The device's own HTTP beside Python's: the same of what is HTTP/1.1, and one kind of error for what is none."""

from __future__ import annotations

import contextlib
import http.client
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from selvedge.federate.client.https import FIELDS, LINE, Connection, Garbled

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
