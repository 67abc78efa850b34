"""What strangers may take of an HTTPS server before they have said who they are: sockets, bytes of a head, seconds."""

from __future__ import annotations

import asyncio
import resource
import socket
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from ...errors import InvalidInput

SPARE = 128  # files that the process needs besides its connections: the journal, the model, what it is given


class Listening(socket.socket):
    """Accepts at most ``most`` connections at once, those in the middle of a handshake too: more are closed as they
    come. asyncio's own server accepts until the process may open no file any more, and then the journal cannot either.
    """

    most = 0
    open = 0

    def accept(self) -> tuple[socket.socket, Any]:
        handle, address = self._accept()  # type: ignore[attr-defined]
        made = _Accepted(self.family, self.type, self.proto, fileno=handle)
        made.of = self
        self.open += 1
        if self.open > self.most:
            made.close()
            raise ConnectionAbortedError("too many connections")
        made.setblocking(self.gettimeout() is None)
        return made, address


class _Accepted(socket.socket):
    of: Listening | None = None

    def close(self) -> None:
        if self.of is not None:
            self.of.open -= 1
            self.of = None
        super().close()


def bound(host: str, port: int, connections: int) -> Listening:
    """Raises ``InvalidInput`` for an address that cannot be had."""
    made = Listening(socket.AF_INET6 if ":" in host else socket.AF_INET)
    made.most = connections
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        made.bind((host, port))
    except OSError as error:
        made.close()
        raise InvalidInput("address", f"{host}:{port}", f"it cannot be had ({error.strerror}): give another") from None
    made.listen(128)
    return made


def allowed(connections: int) -> int:
    """So many connections, or as many as the process may have files open."""
    return max(1, min(connections, resource.getrlimit(resource.RLIMIT_NOFILE)[0] - SPARE))


def timed(heads: float, comes: float) -> type[H11Protocol]:
    """HTTP/1.1 where the head of a request is to have come within ``heads`` seconds of its first byte, or of the
    connection, and its body within ``comes``: uvicorn's own waits as long as a byte comes now and then."""

    class Timed(H11Protocol):
        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            self._awaited: tuple[str, object] | None = None
            self._late: asyncio.TimerHandle | None = None
            self._watch()

        def handle_events(self) -> None:
            super().handle_events()
            self._watch()

        def connection_lost(self, exc: Exception | None) -> None:
            if self._late is not None:
                self._late.cancel()
            super().connection_lost(exc)

        def _watch(self) -> None:
            awaited: tuple[str, object] | None = None
            if self.conn.their_state is h11.SEND_BODY:
                awaited = "body", self.cycle
            elif self.conn.their_state is h11.IDLE and (self.cycle is None or self.conn.trailing_data[0]):
                awaited = "head", self.cycle
            if awaited == self._awaited:
                return
            self._awaited = awaited
            if self._late is not None:
                self._late.cancel()
                self._late = None
            if awaited is not None:
                self._late = self.loop.call_later(heads if awaited[0] == "head" else comes, self.transport.abort)

    return Timed
