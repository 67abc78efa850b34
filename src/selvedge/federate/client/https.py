"""A device joins a run over HTTPS: the standard library, no server of its own, nothing that listens."""

from __future__ import annotations

import http.client
import select
import ssl
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

from ...errors import InvalidInput
from ...learn.draws import Draws
from ..keys import Key
from ..message import Message, made
from .participant import Participant

POLL, UPDATE, STATUS = "/v1/poll", "/v1/update", "/v1/status"
OVER = 410  # the status of an answer: there will be no task any more
LONGEST = 300.0  # seconds between two tries
TIMEOUT = 90.0
AGAIN = (408, 500, 502, 503, 504)  # statuses of an update that is to be sent again


class Connection:
    """To ``url``, https://HOST:PORT. trusted: a PEM file that vouches for its certificate; None: the system's."""

    def __init__(self, url: str, trusted: Path | None = None) -> None:
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
        self._open: http.client.HTTPSConnection | None = None

    def ask(self, path: str, data: bytes, most: int) -> tuple[int, bytes, float]:
        """(status, body, seconds to wait) of a POST. Raises ``OSError`` or ``http.client.HTTPException``."""
        if self._open is not None and _dropped(self._open):
            self.close()
        if self._open is None:
            self._open = http.client.HTTPSConnection(self._host, self._port, timeout=TIMEOUT, context=self._context)
        try:
            self._open.request("POST", path, data, {"Content-Type": "application/octet-stream"})
            answer = self._open.getresponse()
            body = answer.read(most + 1)
            if len(body) > most:
                raise http.client.HTTPException(f"an answer of more than {most:,} B")
            try:
                retry = float(answer.getheader("Retry-After") or 0)
            except ValueError:
                retry = 0.0
            return answer.status, body, retry if 0 <= retry <= LONGEST else 0.0
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        if self._open is not None:
            self._open.close()
            self._open = None


def _dropped(connection: http.client.HTTPSConnection) -> bool:
    """Whether the server has ended it meanwhile: then there is something to read, which nobody asked for."""
    return connection.sock is None or bool(select.select([connection.sock], [], [], 0)[0])


def join(
    participant: Participant, key: Key, run: str, connection: Connection, most: int, *,
    log: Callable[[str], None] = lambda line: None, clock: Callable[[], float] = time.time,
    sleep: Callable[[float], None] = time.sleep, ended: Callable[[], bool] = lambda: False,
) -> int:  # fmt: skip
    """Ask for tasks and send what comes of them until ``ended`` or the run is over; returns how many updates were
    heard.

    Nothing is lost by an end at any moment: the participant keeps its answer, and what is not heard is sent again, not
    asked for again: a model is downloaded once. What fails is tried again, after twice as
    long each time, up to five minutes, give or take a fifth, so that a fleet does not come back all at once.
    """
    heard, failed, wait = 0, 0, 0.0
    answer: Message | None = None
    draws = Draws(int.from_bytes(key.public[:8], "little"))
    while not ended():
        try:
            if answer is None:
                poll = made("poll", {"run": run, "client": participant.name, "now": clock()}, b"", key)
                status, body, wait = connection.ask(POLL, poll.packed(), most)
                answer = participant.handle(body) if status == 200 else None
                del body
                if status == OVER:
                    log("the run is over")
                    break
                if status == 403:
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
        except (OSError, http.client.HTTPException) as error:
            failed, wait = failed + 1, 0.0
            log(f"no answer: {error or type(error).__name__}")
        if failed:
            wait = max(wait, min(LONGEST, 2.0 ** min(failed, 9)))
            wait *= 0.8 + 0.4 * float(draws.uniform(1)[0])
        if wait:
            sleep(wait)
    connection.close()
    return heard
