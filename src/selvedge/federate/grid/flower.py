"""Devices behind Flower: a ServerApp pushes tasks to SuperNodes, and pulls what their ClientApps made of them."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ...errors import InvalidInput
from ..flower_record import HELLO, TASK, flwr, packed, unpacked
from ..message import Message, Refused, read, whose
from .grid import Delivery

AGAIN = 600.0  # seconds
LATER = 60.0  # seconds, at most, until a node that failed is asked again


@dataclass(slots=True)
class _Told:
    """What a node is to answer. id: flwr's, of the message that was pushed ``at``, "" for one to be pushed then."""

    data: bytes | None
    id: str = ""
    at: float = 0.0
    failed: int = 0


class FlowerGrid:
    """``grid``: flwr's, of a ServerApp's main function. devices: the public key of each. run: its name. parts: of the
    model, by device; "" for those that are missing. most: bytes that a message may have.

    A SuperNode that is new is asked who it is, and answers with a signed poll: its number says nothing. A task is
    pushed again where flwr says that it or its node was lost, where the node came back, and after ``again`` seconds
    of silence: that is to be longer than a task takes. A device gives the same answer twice, and the server counts
    it once. pause: seconds between two looks at the SuperLink. log: told of what went wrong, a line each.
    """

    def __init__(
        self, grid: Any, devices: Mapping[str, bytes], run: str, most: int, parts: Mapping[str, str] | None = None, *,
        again: float = AGAIN, pause: float = 0.5, log: Callable[[str], None] = lambda line: None,
    ) -> None:  # fmt: skip
        """Raises ``InvalidInput`` where flwr is not installed, and for seconds that are none."""
        if not again > 0 or not pause >= 0:
            raise InvalidInput("again, pause", f"{again}, {pause}", "give seconds, above and from 0")
        self._message = flwr("flwr.app").Message
        self._grid, self._devices, self._run, self._parts = grid, dict(devices), run, dict(parts or {})
        self._most, self._again, self._pause, self._log = most, again, pause, log
        self._since: dict[int, str] = {}  # node -> when it came last, as the SuperLink has it
        self._online: set[int] = set()
        self._node: dict[str, int] = {}
        self._polled: dict[str, float] = {}  # device -> its clock
        self._hellos: dict[int, _Told] = {}
        self._tasks: dict[str, _Told] = {}  # one a device, also of those that have not yet said who they are
        self._coming: deque[Delivery] = deque()
        self._looked = float("-inf")

    def now(self) -> float:
        return time.time()

    def here(self) -> Mapping[str, str]:
        self._look()
        return {c: self._parts.get(c, "") for c, node in self._node.items() if node in self._online}

    def send(self, client: str, message: Message) -> None:
        self._tasks[client] = _Told(message.packed())
        self._push()

    def withdraw(self, client: str) -> None:
        self._tasks.pop(client, None)

    def receive(self, until: float) -> Delivery | None:
        if not self._coming:
            wait = min(until - time.time(), self._looked + self._pause - time.monotonic())
            if wait > 0:
                time.sleep(wait)
            self._look()
        return self._coming[0] if self._coming else None

    def done(self, delivery: Delivery) -> None:
        self._coming.popleft()

    def _look(self) -> None:
        """At most once a pause: which nodes are there, what is to be pushed, what has come."""
        if time.monotonic() < self._looked + self._pause:
            return
        self._looked = time.monotonic()
        nodes = {int(n.node_id): str(n.last_activated_at) for n in self._grid.get_nodes()}
        self._online = set(nodes)
        for node, since in nodes.items():
            if node not in self._since:
                self._hellos[node] = _Told(None)
            elif self._since[node] != since:  # what it had been given went with its memory
                for whom, _, told in self._all():
                    if whom == node:
                        told.id = ""
        self._since |= nodes
        self._push()
        self._pull()

    def _all(self) -> Iterator[tuple[int, str, _Told]]:
        """(node, flwr's type of message, what it is to answer); tasks of those whose node is not known wait."""
        for node, told in self._hellos.items():
            yield node, HELLO, told
        for client, told in self._tasks.items():
            if client in self._node:
                yield self._node[client], TASK, told

    def _push(self) -> None:
        now = time.monotonic()
        for node, kind, told in self._all():
            if told.id and now >= told.at + self._again:
                told.id = ""
            if not told.id and node in self._online and now >= told.at:
                sent = self._message(packed(told.data), dst_node_id=node, message_type=kind, ttl=self._again)
                told.id, told.at = _only(self._grid.push_messages([sent])), now

    def _pull(self) -> None:
        waited = {told.id: (node, kind, told) for node, kind, told in self._all() if told.id}
        if not waited:
            return
        for reply in self._grid.pull_messages(list(waited)):
            if reply.metadata.reply_to_message_id not in waited:
                continue
            node, kind, told = waited[reply.metadata.reply_to_message_id]
            if reply.has_error():
                self._log(f"SuperNode {node}: {reply.error.reason or reply.error.code}")
                told.failed += 1
                told.id, told.at = "", time.monotonic() + min(LATER, 2.0 ** min(told.failed, 9) - 1)
                continue
            data = unpacked(reply.content)
            if kind == HELLO:
                del self._hellos[node]
            else:
                self._tasks = {client: other for client, other in self._tasks.items() if other is not told}
            if data is None:
                self._log(f"SuperNode {node}: nothing to say to a {kind}")
            elif len(data) > self._most:
                self._log(f"SuperNode {node}: a message of {len(data):,} B where at most {self._most:,} are due")
            elif kind == HELLO:
                self._greeted(node, data)
            else:
                self._coming.append(Delivery(data))

    def _greeted(self, node: int, data: bytes) -> None:
        client = whose(data)
        try:
            message = read(data, self._devices.get(client), 0)
        except Refused as error:
            self._log(f"SuperNode {node}: {error}")
            return
        head = message.head
        # A poll that somebody caught and sends again is not later than the last.
        late = message.kind == "poll" and head["now"] <= self._polled.get(client, -1.0)
        if message.kind != "poll" or head["run"] != self._run or late:
            self._log(f"SuperNode {node}: no poll of {self._run}, or an old one")
            return
        if self._node.get(client, node) != node and client in self._tasks:
            self._tasks[client].id = ""  # it is elsewhere now
        self._polled[client], self._node[client] = head["now"], node


def _only(ids: Iterable[str | None]) -> str:
    """ "" where flwr did not take it: it is tried again."""
    return next(iter(ids), None) or ""
