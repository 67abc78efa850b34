"""Devices over HTTPS: each asks whether there is a task, and sends what it made of it."""

from __future__ import annotations

import asyncio
import queue
import socket
import threading
import time
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import uvicorn

from ...errors import InvalidInput
from ..message import Message, Refused, read, whose
from .grid import Delivery

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
POLL, UPDATE, STATUS = "/v1/poll", "/v1/update", "/v1/status"
LARGEST_POLL = 1024  # bytes
NOTHING = 204  # the status where there is no task
OVER = 410  # and where there will be none any more
AGAIN = 2.0  # seconds until a device that found no task asks again, unless it is told otherwise
WAIT = 60.0  # seconds until a device is told that its update was not heard yet


@dataclass(frozen=True, slots=True)
class _Heard(Delivery):
    """An update, and who waits for it to be in the journal."""

    heard: Future[None] = field(default_factory=Future)


class HttpsGrid:
    """A server at ``host``:``port`` (0: one that is free, :attr:`port`), with the certificate and key of two PEM files.

    devices: the public key of each. parts: of the model, by device; "" for those that are missing. run: its name. most:
    bytes that a message may have. A device is there for ``alive`` seconds after it asked. An update is answered once it
    is in the journal; until then a device sends it again. status: what who shows this token is told of the run; None:
    nothing, to nobody else either.
    """

    def __init__(
        self, host: str, port: int, certificate: Path, key: Path, devices: Mapping[str, bytes], run: str, most: int,
        parts: Mapping[str, str] | None = None, alive: float = 60.0, again: float = AGAIN,
        status: Callable[[bytes], bytes | None] = lambda token: None,
    ) -> None:  # fmt: skip
        """Raises ``InvalidInput`` for files that are none, and a port that is taken."""
        for name, path in (("certificate", certificate), ("key", key)):
            if not path.is_file():
                raise InvalidInput(name, str(path), "there is no such file")
        self._devices, self._parts, self._run, self._most = dict(devices), dict(parts or {}), run, most
        self._alive, self._again, self._status = alive, again, status
        self._over = False
        self._told: set[str] = set()  # that it is over
        self._asked: dict[str, tuple[float, float]] = {}  # device -> its clock, ours
        self._tasks: dict[str, tuple[int, bytes]] = {}  # with their numbers
        self._coming: queue.Queue[_Heard] = queue.Queue()
        self._held: _Heard | None = None
        config = uvicorn.Config(
            self._serve_one, host, port, ssl_certfile=str(certificate), ssl_keyfile=str(key), log_level="error",
            lifespan="off", server_header=False, access_log=False,
            interface="asgi3", proxy_headers=False,
        )  # fmt: skip
        try:
            config.load()
        except OSError as error:  # ssl's own errors too
            raise InvalidInput("certificate", str(certificate), f"not usable with {key.name} ({error})") from None
        self._server = uvicorn.Server(config)
        self._socket = _bound(host, port)
        self.port = int(self._socket.getsockname()[1])
        self._thread = threading.Thread(target=self._serve, name="https", daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        asyncio.run(self._server.serve([self._socket]))

    def close(self) -> None:
        self._server.should_exit = True
        self._thread.join(10)
        self._socket.close()

    def allow(self, devices: Mapping[str, bytes], parts: Mapping[str, str] | None = None) -> None:
        """Others may take part from now on."""
        self._devices, self._parts = dict(devices), dict(parts or {})

    def end(self, seconds: float) -> None:
        """The run is over: tell it to the devices that are there, as they ask, for so many seconds at most."""
        self._over = True
        until = time.monotonic() + seconds
        while time.monotonic() < until and not set(self.here()) <= self._told:
            time.sleep(0.05)

    # -- the server's side ------------------------------------------------------------------------------------------

    def now(self) -> float:
        return time.time()

    def here(self) -> Mapping[str, str]:
        since = time.monotonic() - self._alive
        return {c: self._parts.get(c, "") for c, (_, seen) in list(self._asked.items()) if seen >= since}

    def send(self, client: str, message: Message) -> None:
        self._tasks[client] = message.head["task"], message.packed()

    def receive(self, until: float) -> Delivery | None:
        if self._held is None:
            try:
                # Not longer than a moment: who is here changes meanwhile.
                self._held = self._coming.get(timeout=max(0.0, min(until - time.time(), 0.2)))
            except queue.Empty:
                return None
        return self._held

    def done(self, delivery: Delivery) -> None:
        assert isinstance(delivery, _Heard)
        self._held = None
        if delivery.heard.set_running_or_notify_cancel():  # else who sent it has been told to send it again
            delivery.heard.set_result(None)

    # -- the devices' side ------------------------------------------------------------------------------------------

    async def _serve_one(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            status, body = await self._answer(scope, receive)
            headers = [(b"content-type", b"application/octet-stream"), (b"content-length", str(len(body)).encode())]
            if status == NOTHING:
                headers.append((b"retry-after", f"{self._again:g}".encode()))
            await send({"type": "http.response.start", "status": status, "headers": headers})
            await send({"type": "http.response.body", "body": body})

    async def _answer(self, scope: Scope, receive: Receive) -> tuple[int, bytes]:
        path = scope["path"]
        if scope["method"] != "POST" or path not in (POLL, UPDATE, STATUS):
            return 404, b""
        data = await _body(receive, self._most if path == UPDATE else LARGEST_POLL)
        if data is None:
            return 413, b""
        if path == POLL:
            return self._polled(data)
        if path == STATUS:
            told = self._status(data)
            return (403, b"") if told is None else (200, told)
        heard = _Heard(data)
        self._coming.put(heard)
        try:
            await asyncio.wait_for(asyncio.wrap_future(heard.heard), WAIT)
        except TimeoutError:
            return 503, b""
        return 202, b""

    def _polled(self, data: bytes) -> tuple[int, bytes]:
        client = whose(data)
        try:
            message = read(data, self._devices.get(client), 0)
        except Refused:
            return 403, b""
        head = message.head
        # A poll that somebody caught and sends again is not later than the last.
        late = message.kind == "poll" and head["now"] <= self._asked.get(client, (-1.0, 0.0))[0]
        if message.kind != "poll" or head["run"] != self._run or late:
            return 403, b""
        self._asked[client] = head["now"], time.monotonic()
        if self._over:
            self._told.add(client)
            return OVER, b""
        number, task = self._tasks.get(client, (-1, b""))
        return (NOTHING, b"") if number <= head["done"] else (200, task)


async def _body(receive: Receive, most: int) -> bytes | None:
    """The whole body, or None for one of more than ``most`` bytes: no more than those are ever held."""
    data = bytearray()
    while True:
        event = await receive()
        if event["type"] != "http.request":
            return None
        data += event.get("body", b"")
        if len(data) > most:
            return None
        if not event.get("more_body", False):
            return bytes(data)


def _bound(host: str, port: int) -> socket.socket:
    made = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        made.bind((host, port))
    except OSError as error:
        made.close()
        raise InvalidInput("address", f"{host}:{port}", f"it cannot be had ({error.strerror}): give another") from None
    made.listen(128)
    return made
