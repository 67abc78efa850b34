"""Devices over HTTPS: each asks whether there is a task, and sends what it made of it."""

from __future__ import annotations

import asyncio
import queue
import threading
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, MutableMapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import uvicorn

from ...errors import InvalidInput
from ..message import ANSWERS, Message, Refused, answers, read, whose
from .connections import allowed, bound, timed
from .grid import Delivery

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
POLL, UPDATE, STATUS, CREDENTIAL = "/v1/poll", "/v1/update", "/v1/status", "/v1/credential"
LARGEST_POLL = 1024  # bytes
HEARD = 202  # the status of an update that is in the journal
AWAY = 503  # and of one that is to be sent again
NOTHING = 204  # the status where there is no task
OVER = 410  # and where there will be none any more
AGAIN = 2.0  # seconds until a device that found no task asks again, unless it is told otherwise
WAIT = 60.0  # seconds until a device is told that its update was not heard yet
KEEP = 75  # seconds that a connection may be idle
COMES = 60.0  # seconds that a message may take to come in
HEADS = 20.0  # and the head of a request
HEADERS = 8 << 10  # bytes that it may have
ROOM = 64 << 20  # bytes of updates that are coming in, and of those that wait to be in the journal
PIECE = 1 << 16  # bytes of a task that are handed on at once


@dataclass(frozen=True, slots=True)
class _Heard(Delivery):
    """An update that ``client`` signed, its ``head``, and who waits for the status of its answer: until it is in the
    journal, or the run is over."""

    client: str
    head: Mapping[str, Any]
    heard: Future[int] = field(default_factory=Future)


class HttpsGrid:
    """A server at ``host``:``port`` (0: one that is free, :attr:`port`), with the certificate and key of two PEM files.

    devices: the public key of each. parts: of the model, by device; "" for those that are missing. run: its name. most:
    bytes that a message may have. A device is there for ``alive`` seconds after it asked. An update is answered once it
    is in the journal; until then a device sends it again.

    connections: at once, or as many as the process may have files open; more are told to come again, or closed. heads,
    comes: seconds within which the head of a request and its body are to come, or its connection is closed. What is not
    signed by a device of the run is sent away before it waits for anything, ``log`` is told of it, a line each, and
    :attr:`refused` counts it. Of each device one update may wait. All that come in take at most 64 MiB or that of the
    largest, and all that wait as much. keep_alive: seconds that a connection may be idle. status: what who shows this
    token is told of the run; None: nothing, to nobody else either. present: told of a credential that somebody shows;
    its status, and what else who showed it is to know.
    """

    def __init__(
        self, host: str, port: int, certificate: Path, key: Path, devices: Mapping[str, bytes], run: str, most: int,
        parts: Mapping[str, str] | None = None, alive: float = 60.0, again: float = AGAIN,
        connections: int = 1000, keep_alive: int = KEEP, heads: float = HEADS, comes: float = COMES,
        log: Callable[[str], None] = lambda line: None,
        status: Callable[[bytes], bytes | None] = lambda token: None,
        present: Callable[[bytes], tuple[int, bytes]] = lambda shown: (404, b""),
    ) -> None:  # fmt: skip
        """Raises ``InvalidInput`` for files that are none, and a port that is taken."""
        for name, path in (("certificate", certificate), ("key", key)):
            if not path.is_file():
                raise InvalidInput(name, str(path), "there is no such file")
        self._devices, self._parts, self._run, self._most = dict(devices), dict(parts or {}), run, most
        self._alive, self._again, self._comes, self._log = alive, again, comes, log
        self.refused: Counter[str] = Counter()
        self._room, self._unsigned, self._waits = max(ROOM, most), 0, 0  # bytes
        self._waiting: set[str] = set()  # devices with an update that waits
        # Seconds of the day when this began, and those that have passed since: what a journal has gone on with after
        # a restart is no stranger to it, and nobody who sets the clock turns it back.
        self._began = time.time() - time.monotonic()
        self._status, self._present = status, present
        self._over = self._closed = False
        self._told: set[str] = set()  # that it is over
        self._asked: dict[str, tuple[float, float]] = {}  # device -> its clock, ours
        self._tasks: dict[str, Message] = {}
        self._coming: queue.Queue[_Heard] = queue.Queue()
        self._held: _Heard | None = None
        connections = allowed(connections)
        config = uvicorn.Config(
            self._serve_one, host, port, ssl_certfile=str(certificate), ssl_keyfile=str(key), log_level="error",
            lifespan="off", server_header=False, access_log=False,
            interface="asgi3", proxy_headers=False, limit_concurrency=connections, timeout_keep_alive=keep_alive,
            http=timed(heads, comes + 1), ws="none", h11_max_incomplete_event_size=HEADERS,
        )  # fmt: skip
        try:
            config.load()
        except OSError as error:  # ssl's own errors too
            raise InvalidInput("certificate", str(certificate), f"not usable with {key.name} ({error})") from None
        self._server = uvicorn.Server(config)
        # Twice as many as are served: who is one too many is to be told so.
        self._socket = bound(host, port, allowed(2 * connections))
        self.port = int(self._socket.getsockname()[1])
        self._thread = threading.Thread(target=self._serve, name="https", daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        asyncio.run(self._server.serve([self._socket]))

    def close(self) -> None:
        self._closed = True
        self._send_away(AWAY)  # else the server would wait for those who wait for it
        self._server.should_exit = True
        self._thread.join(10)
        self._socket.close()

    def allow(self, devices: Mapping[str, bytes], parts: Mapping[str, str] | None = None) -> None:
        """Others may take part from now on."""
        self._devices, self._parts = dict(devices), dict(parts or {})

    def end(self, seconds: float) -> None:
        """The run is over: tell it to the devices that are there, as they ask, for so many seconds at most."""
        self._over = True
        self._send_away(OVER)
        until = time.monotonic() + seconds
        while time.monotonic() < until and not set(self.here()) <= self._told:
            time.sleep(0.05)

    def _send_away(self, status: int) -> None:
        """Those whose update nobody is there any more to hear."""
        if self._held is not None:
            _answered(self._held, status)
            self._held = None
        while not self._coming.empty():
            _answered(self._coming.get(), status)

    # -- the server's side ------------------------------------------------------------------------------------------

    def now(self) -> float:
        return self._began + time.monotonic()

    def here(self) -> Mapping[str, str]:
        since = time.monotonic() - self._alive
        return {c: self._parts.get(c, "") for c, (_, seen) in list(self._asked.items()) if seen >= since}

    def send(self, client: str, message: Message) -> None:
        self._tasks[client] = message

    def withdraw(self, client: str) -> None:
        self._tasks.pop(client, None)

    def receive(self, until: float) -> Delivery | None:
        if self._held is None:
            try:
                # Not longer than a moment: who is here changes meanwhile.
                self._held = self._coming.get(timeout=max(0.0, min(until - self.now(), 0.2)))
            except queue.Empty:
                return None
        return self._held

    def done(self, delivery: Delivery) -> None:
        assert isinstance(delivery, _Heard)
        self._held = None
        task = self._tasks.get(delivery.client)
        if task is not None and answers(delivery.head, task.head):
            self.withdraw(delivery.client)  # whatever was made of it, its answer was heard
        self._waiting.discard(delivery.client)
        _answered(delivery, HEARD)

    # -- the devices' side ------------------------------------------------------------------------------------------

    async def _serve_one(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            status, parts = await self._answer(scope, receive)
            size = sum(map(len, parts))
            headers = [(b"content-type", b"application/octet-stream"), (b"content-length", str(size).encode())]
            if status in (NOTHING, AWAY):
                headers.append((b"retry-after", f"{self._again:g}".encode()))
            await send({"type": "http.response.start", "status": status, "headers": headers})
            for part in parts:  # in pieces: a slow device holds one, not a model
                for i in range(0, len(part), PIECE):
                    await send({"type": "http.response.body", "body": part[i : i + PIECE], "more_body": True})
            await send({"type": "http.response.body", "body": b""})

    async def _answer(self, scope: Scope, receive: Receive) -> tuple[int, Sequence[bytes]]:
        """(status, the parts of the answer's body)."""
        path = scope["path"]
        if scope["method"] != "POST" or path not in (POLL, UPDATE, STATUS, CREDENTIAL):
            return 404, ()
        if path == UPDATE:
            return await self._updated(receive), ()
        data = await self._body(receive, LARGEST_POLL, lambda more: True)
        if not isinstance(data, bytes):
            return data, ()
        if path == POLL:
            status, task = self._polled(data)
            return status, (task.top, task.body) if task else ()
        if path == CREDENTIAL:
            said, body = self._present(data)
            return said, (body,) if body else ()
        told = self._status(data)
        return (403, ()) if told is None else (200, (told,))

    async def _updated(self, receive: Receive) -> int:
        """The status of an update: once it is in the journal, or why it will not be."""
        held = 0

        def room(more: int) -> bool:
            nonlocal held
            if self._unsigned + more > self._room:
                return False
            held, self._unsigned = held + more, self._unsigned + more
            return True

        try:
            data = await self._body(receive, self._most, room)
        finally:
            self._unsigned -= held
        if not isinstance(data, bytes):
            return data
        client = whose(data)
        try:
            message = read(data, self._devices.get(client), self._most)
            if message.kind not in ANSWERS:
                raise Refused(f"a {message.kind} where an update is due")
        except Refused as error:
            known = client in self._devices
            self.refused[str(error) if known else "of nobody who is known here"] += 1
            self._log(f"refused: {client if known else 'someone'}: {error}")
            return 403
        if self._over:
            return OVER
        if self._closed or client in self._waiting or self._waits + len(data) > self._room:
            return AWAY
        heard = _Heard(data, client, message.head)
        self._waiting.add(client)
        self._waits += len(data)
        self._coming.put(heard)
        try:
            return await asyncio.wait_for(asyncio.wrap_future(heard.heard), WAIT)
        except TimeoutError:
            return AWAY
        finally:
            self._waits -= len(data)

    async def _body(self, receive: Receive, most: int, room: Callable[[int], bool]) -> bytes | int:
        """The same in time, or the status of one that is late."""
        try:
            async with asyncio.timeout(self._comes):
                return await _body(receive, most, room)
        except TimeoutError:
            return 408

    def _polled(self, data: bytes) -> tuple[int, Message | None]:
        client = whose(data)
        try:
            message = read(data, self._devices.get(client), 0)
        except Refused:
            return 403, None
        head = message.head
        # A poll that somebody caught and sends again is not later than the last.
        late = message.kind == "poll" and head["now"] <= self._asked.get(client, (-1.0, 0.0))[0]
        if message.kind != "poll" or head["run"] != self._run or late:
            return 403, None
        self._asked[client] = head["now"], time.monotonic()
        if self._over:
            self._told.add(client)
            return OVER, None
        task = self._tasks.get(client)
        return (NOTHING, None) if task is None else (200, task)


def _answered(heard: _Heard, status: int) -> None:
    if heard.heard.set_running_or_notify_cancel():  # else who sent it has been told to send it again
        heard.heard.set_result(status)


async def _body(receive: Receive, most: int, room: Callable[[int], bool]) -> bytes | int:
    """The whole body; or a status, for one of more than ``most`` bytes, of which no more are ever held, for one that
    there is no ``room`` for, and for one that breaks off."""
    data = bytearray()
    while True:
        event = await receive()
        if event["type"] != "http.request":
            return 400
        part = event.get("body", b"")
        if len(data) + len(part) > most:
            return 413
        if not room(len(part)):
            return AWAY
        data += part
        if not event.get("more_body", False):
            return bytes(data)
