"""JSON lines as messages of an MQTT broker (mosquitto, for one), by paho-mqtt."""

from __future__ import annotations

import queue
import threading
import time
from collections import deque
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from ...artifact.features import Features
from ...errors import InvalidInput, NotSupported
from .faults import Faults
from .lines import sample
from .sample import Face, Sample

WAIT = 10.0  # seconds for the broker to answer
HELD = 64  # messages that were sent and are not safe yet


class Mqtt:
    """``mqtt://user:password@host:1883/a/topic/#?client=NAME&qos=1``: what is published from now on.

    With a ``client`` name and qos 1 the broker keeps what comes while nobody is here, and gives again what
    :meth:`done` was not told of: after a kill nothing is lost. A message that was safe but not yet told of comes twice,
    which is seen where the sender numbers its lines. Where the connection breaks, it is made again.
    """

    seekable = False

    def __init__(self, url: str, face: Face, features: Features | None = None, *, faults: Faults | None = None) -> None:
        """Raises ``InvalidInput`` for a URL that is none, or a broker that does not answer; ``NotSupported`` where
        paho-mqtt is not installed."""
        try:
            from paho.mqtt.client import Client
            from paho.mqtt.enums import CallbackAPIVersion
        except ImportError:
            raise NotSupported("MQTT", "", "pip install 'paho-mqtt>=2'") from None
        parts = urlsplit(url)
        options = parse_qs(parts.query)
        self._topic = unquote(parts.path[1:]) + (f"#{parts.fragment}" if parts.fragment or url.endswith("#") else "")
        try:
            port = parts.port or 1883
            qos = int(options.get("qos", ["1"])[0])
        except ValueError:
            port, qos = 0, -1
        if not parts.hostname or not self._topic or not port or qos not in (0, 1, 2):
            raise InvalidInput("stream", url, "give mqtt://host:port/topic, and behind it ?qos=0, 1 or 2")
        self.name = f"mqtt://{parts.hostname}:{port}/{self._topic}"
        self._face, self._features, self._faults, self._from = face, features, faults or Faults(), 0
        self._queue: queue.Queue[Any] = queue.Queue(HELD)
        self._unsafe: deque[tuple[int, Any]] = deque()  # number and message, in order
        self._telling = threading.Lock()
        self._closed = False
        name = options.get("client", [""])[0]
        self._client = Client(CallbackAPIVersion.VERSION2, client_id=name, clean_session=not name, manual_ack=True)
        if parts.username:
            self._client.username_pw_set(unquote(parts.username), unquote(parts.password or ""))
        answer: queue.Queue[str] = queue.Queue()

        def connected(client: Any, data: Any, flags: Any, reason: Any, more: Any) -> None:
            if reason.is_failure:
                answer.put(str(reason))
            else:
                client.subscribe(self._topic, qos)

        def subscribed(client: Any, data: Any, number: Any, reasons: Any, more: Any) -> None:
            answer.put(next((f"{self._topic}: {r}" for r in reasons if r.is_failure), ""))

        self._client.on_connect, self._client.on_subscribe = connected, subscribed
        self._client.on_message = lambda client, data, message: self._arrived(message)
        try:
            self._client.connect(parts.hostname, port)
        except (OSError, ValueError) as error:
            raise InvalidInput("stream", self.name, f"no broker answers there ({error})") from None
        self._client.loop_start()
        try:
            refused = answer.get(timeout=WAIT)
        except queue.Empty:
            refused = f"no answer in {WAIT:g} s"
        if refused:
            self.close()
            raise InvalidInput("stream", self.name, f"the broker does not let us in ({refused})")

    def seek(self, position: int) -> None:
        self._from = position

    def done(self, number: int) -> None:
        with self._telling:  # of a message that was dropped, the thread that reads ahead tells
            while self._unsafe and self._unsafe[0][0] <= number:
                _, message = self._unsafe.popleft()
                self._client.ack(message.mid, message.qos)

    def close(self) -> None:
        self._closed = True
        self._client.disconnect()
        self._client.loop_stop()

    def _arrived(self, message: Any) -> None:
        """In the client's thread: while the queue is full it waits, and with it the broker."""
        while not self._closed:
            try:
                self._queue.put((time.time(), message), timeout=0.2)
                return
            except queue.Full:
                continue

    def __iter__(self) -> Iterator[Sample]:
        number = self._from
        while not self._closed:
            try:
                arrived, message = self._queue.get(timeout=0.2)
            except queue.Empty:
                continue
            try:
                made = sample(message.payload, number, self._face, self._features, arrived)
            except (ValueError, TypeError) as error:
                self._client.ack(message.mid, message.qos)
                said = message.payload[:40].decode(errors="replace")
                self._faults.note(f"{self.name} topic {message.topic}", said, str(error))
                continue
            number = max(number, made.number) + 1
            self._unsafe.append((made.number, message))
            yield made
