"""A device joins a run over HTTPS: sockets, no server of its own, nothing that listens."""

from __future__ import annotations

import select
import socket
import ssl
import time
from collections.abc import Callable
from io import BufferedReader, RawIOBase
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from ...errors import InvalidInput
from ...learn.draws import Draws
from ..keys import Signer
from ..message import Message, Refused, Sealed, made
from .participant import Participant

if TYPE_CHECKING:
    from .papers import Papers

POLL, UPDATE, STATUS, CREDENTIAL = "/v1/poll", "/v1/update", "/v1/status", "/v1/credential"
OVER = 410  # the status of an answer: there will be no task any more
LONGEST = 300.0  # seconds between two tries
TIMEOUT = 90.0  # seconds in which a question is sent, and in which it is answered, besides those of their bytes
SLOWEST = 1000  # bytes a second, below which a network is none
EMPTY = (204, 304)  # statuses of answers without a body
LINE = 8192  # bytes
FIELDS = 100
AGAIN = (408, 500, 502, 503, 504)  # statuses of an update that is to be sent again


class Garbled(OSError):
    """An answer that is no HTTP, or longer than it may be."""


class Connection:
    """To ``url``, https://HOST:PORT. trusted: a PEM file that vouches for its certificate; None: the system's.

    HTTP/1.1 (RFC 9112) as far as our own server and a proxy before it speak it: Python's client brings a parser of
    e-mail along, a megabyte and a half of what a device has.

    timeout: seconds within which a connection is made; within which a question is sent; and within which the whole
    answer is there, head and body. To the latter two each byte that has gone over adds a :data:`SLOWEST`-th of a
    second, for as many as there may be, and never so much that more than ``timeout`` is left: a slow network is borne,
    a server that says a byte now and then, or nothing any more, is not.
    """

    def __init__(self, url: str, trusted: Path | None = None, timeout: float = TIMEOUT) -> None:
        try:
            parts = urlsplit(url)
            port = 443 if parts.port is None else parts.port
        except ValueError as error:
            raise InvalidInput("server", url, f"give https://HOST:PORT ({error})") from None
        if parts.scheme != "https" or not parts.hostname or parts.path not in ("", "/") or not port:
            raise InvalidInput("server", url, "give https://HOST:PORT, PORT 1 to 65535")
        try:
            self._context = ssl.create_default_context(cafile=str(trusted) if trusted else None)
        except OSError as error:
            raise InvalidInput("certificate", str(trusted), f"it cannot be read ({error})") from None
        self._host, self._port = parts.hostname, port
        # Of a text Python would make this itself, by tables of all of Unicode: a megabyte.
        self._name = self._host.encode("ascii" if self._host.isascii() else "idna")
        self._timeout = timeout
        self._open: ssl.SSLSocket | None = None
        self._timed: _Timed | None = None
        self._coming: BufferedReader | None = None

    def ask(self, path: str, data: bytes, most: int) -> tuple[int, bytes, float]:
        """(status, body, seconds to wait) of a POST. Raises ``OSError``."""
        if self._open is not None and _dropped(self._open):
            self.close()
        try:
            if self._open is None:
                raw = socket.create_connection((self._name, self._port), self._timeout)  # type: ignore[arg-type]
                self._open = self._context.wrap_socket(raw, server_hostname=self._name)
                self._timed = _Timed(self._open)
                self._coming = BufferedReader(self._timed)
            assert self._coming is not None
            assert self._timed is not None
            host = f"[{self._host}]" if ":" in self._host else self._name.decode("ascii")
            head = (
                f"POST {path} HTTP/1.1\r\nHost: {host}:{self._port}\r\nContent-Type: application/octet-stream\r\n"
                f"Content-Length: {len(data)}\r\n\r\n"
            )
            self._timed.begin(self._timeout, len(head) + len(data))
            self._timed.send(head.encode("ascii"))
            self._timed.send(data)
            self._timed.begin(self._timeout, most + LINE)
            status, fields = _head(self._coming)
            body = b"" if status in EMPTY else _body(self._coming, fields, most)
        except BaseException:
            self.close()
            raise
        if "close" in fields.get("connection", "").lower():
            self.close()
        try:
            retry = float(fields.get("retry-after") or 0)
        except ValueError:
            retry = 0.0
        return status, body, retry if 0 <= retry <= LONGEST else 0.0

    def close(self) -> None:
        if self._coming is not None:
            self._coming.close()
        if self._open is not None:
            self._open.close()
        self._open = self._timed = self._coming = None


class _Timed(RawIOBase):
    """The bytes of ``connection``, and until when they are waited for: a socket's own timeout is of one call alone."""

    def __init__(self, connection: ssl.SSLSocket) -> None:
        self._connection = connection
        self._timeout = self._end = 0.0
        self._left = 0

    def begin(self, timeout: float, most: int) -> None:
        """From now on: ``timeout`` seconds, and those of at most so many bytes."""
        self._timeout, self._left = timeout, most
        self._end = time.monotonic() + timeout

    def _wait(self) -> None:
        left = self._end - time.monotonic()
        if left <= 0:
            raise TimeoutError("the server takes too long for one answer")
        self._connection.settimeout(left)

    def _gone(self, count: int) -> int:
        """So many bytes have gone over."""
        counted = min(count, self._left)
        self._left -= counted
        self._end = min(self._end + counted / SLOWEST, time.monotonic() + self._timeout)
        return count

    def send(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            self._wait()
            view = view[self._gone(self._connection.send(view)) :]

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self._wait()
        return self._gone(self._connection.recv_into(buffer))


def _dropped(connection: ssl.SSLSocket) -> bool:
    """Whether the server has ended it meanwhile: then there is something to read, which nobody asked for."""
    return bool(select.select([connection], [], [], 0)[0])


def _line(coming: BufferedReader) -> str:
    line = coming.readline(LINE + 1)
    if not line:
        raise Garbled("the server ended the connection")
    if len(line) > LINE or not line.endswith(b"\n"):
        raise Garbled(f"a line of an answer that is longer than {LINE:,} B or breaks off")
    return line.rstrip(b"\r\n").decode("latin-1")


def _head(coming: BufferedReader) -> tuple[int, dict[str, str]]:
    """(status, fields by their name in small letters) of the answer proper: what comes before it (100 to 199) says
    nothing."""
    status = 100
    while 100 <= status < 200:
        version, _, rest = _line(coming).partition(" ")
        code = rest[:3]
        if not version.startswith("HTTP/1.") or not (code.isascii() and code.isdigit() and len(code) == 3):
            raise Garbled("an answer that is no HTTP/1")
        status, fields = int(code), {}
        if version == "HTTP/1.0":
            fields["connection"] = "close"
        while line := _line(coming):
            name, colon, value = line.partition(":")
            if not colon or len(fields) >= FIELDS:
                raise Garbled(f"a field of an answer without a colon, or more than {FIELDS} of them")
            fields[name.strip().lower()] = value.strip()
    return status, fields


def _body(coming: BufferedReader, fields: dict[str, str], most: int) -> bytes:
    """Of the length that is said, in chunks, or to the end of the connection; never more than ``most`` bytes."""
    if "chunked" in fields.get("transfer-encoding", "").lower():
        made = bytearray()
        while size := _size(_line(coming).partition(";")[0], 16, most - len(made)):
            made += _exactly(coming, size)
            _line(coming)
        while _line(coming):  # fields behind the last chunk
            pass
        return bytes(made)
    if "content-length" in fields:
        return _exactly(coming, _size(fields["content-length"], 10, most))
    fields["connection"] = "close"
    body = coming.read(most + 1)
    _size(str(len(body)), 10, most)
    return body


def _size(text: str, base: int, most: int) -> int:
    try:
        size = int(text.strip(), base)
    except ValueError:
        size = -1
    if size < 0:
        raise Garbled(f"a length that is none, {text[:20]}")
    if size > most:
        raise Garbled(f"an answer of more than {most:,} B")
    return size


def _exactly(coming: BufferedReader, size: int) -> bytes:
    data = coming.read(size)
    if len(data) < size:
        raise Garbled("an answer that breaks off")
    return data


def join(
    participant: Participant, key: Signer, run: str, connection: Connection, most: int, *,
    log: Callable[[str], None] = lambda line: None, clock: Callable[[], float] = time.time,
    sleep: Callable[[float], None] = time.sleep, ended: Callable[[], bool] = lambda: False,
    papers: Papers | None = None,
) -> int:  # fmt: skip
    """Ask for tasks and send what comes of them until ``ended`` or the run is over; returns how many updates were
    heard.

    Nothing is lost by an end at any moment: the participant keeps its answer, and what is not heard is sent again, not
    asked for again: a model is downloaded once. What fails is tried again, after twice as
    long each time, up to five minutes, give or take a fifth, so that a fleet does not come back all at once.

    papers: shown before the first question, after a refusal, and before each task is begun (of a masked round, before
    its first stage), for what the authority has published since.
    """
    heard, failed, wait = 0, 0, 0.0
    answer: Message | None = None
    shown = False  # and taken: the server knows this device
    draws = Draws(int.from_bytes(key.public[:8], "little"))
    while not ended():
        try:
            participant.rest()
            if answer is None:
                if papers is not None and not shown:
                    shown = _present(connection, papers, log)
                poll = made("poll", {"run": run, "client": participant.name, "now": clock()}, b"", key)
                status, body, wait = connection.ask(POLL, poll.packed(), most)
                if papers is not None and status == 200 and _begins(body):
                    _present(connection, papers, log)
                answer = participant.handle(body) if status == 200 else None
                del body
                if status == OVER:
                    participant.rest(over=True)
                    log("the run is over")
                    break
                if status == 403:
                    shown = False
                    log("refused: the server does not know this device, or its clock went back")
                elif status == 200 and answer is None:
                    status = 502  # no task of this server's
            if answer is not None:
                status, _, wait = connection.ask(UPDATE, answer.packed(), 1024)
                if status == 202:
                    heard += 1
                    log(f"task {answer.head['task']}: sent, {answer.size:,} B")
                elif status not in AGAIN:
                    log(f"task {answer.head['task']}: the server does not take it (status {status})")
                if status not in AGAIN:
                    answer = None
            failed = failed + 1 if status >= 400 else 0
        except OSError as error:
            failed, wait = failed + 1, 0.0
            log(f"no answer: {error or type(error).__name__}")
        if failed:
            wait = max(wait, min(LONGEST, 2.0 ** min(failed, 9)))
            wait *= 0.8 + 0.4 * float(draws.uniform(1)[0])
        if wait:
            sleep(wait)
    connection.close()
    return heard


def _begins(data: bytes) -> bool:
    """Whether what the server has sent looks like the first of a task."""
    try:
        sealed = Sealed.of(data)
    except Refused:
        return False
    return sealed.kind == "task" or sealed.head.get("stage") == "keys"


def _present(connection: Connection, papers: Papers, log: Callable[[str], None]) -> bool:
    """Show a credential, and learn what its authority has published since; whether the server takes it. Raises
    ``OSError``."""
    status, body, _ = connection.ask(CREDENTIAL, papers.shown(), papers.most)
    if status == 200:
        try:
            papers.learn(body)
        except Refused as error:
            log(f"what the server says is of the authority is not: {error}")
    elif status == 403:
        log(f"the server does not take this device's credential{papers.why()}")
    return status in (200, *EMPTY)
