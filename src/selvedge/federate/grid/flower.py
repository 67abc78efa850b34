"""Devices behind Flower: a ServerApp pushes tasks to SuperNodes, and pulls what their ClientApps made of them."""

from __future__ import annotations

import re
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from ...errors import InvalidInput
from ..flower_record import HELLO, TASK
from ..message import ANSWERS, Message, Refused, answers, read, whose
from .flower_link import Link, Reply
from .grid import Delivery

AGAIN = 600.0  # seconds
LATER = 60.0  # seconds, at most, until a node that failed is asked again


@dataclass(slots=True)
class _Told:
    """What a node is to answer: a task, or, None, who it is. id: the link's, of the message that was pushed ``at``, ""
    for one to be pushed then."""

    task: Message | None
    id: str = ""
    at: float = 0.0
    failed: int = 0


class FlowerGrid:
    """``link``: a :class:`~.flower_link.SuperLink` of flwr's grid. devices: the public key of each. run: its name.
    most: bytes that a message may have. parts: of the model, by device; "" for those that are missing.

    A SuperNode that is new is asked who it is, and answers with a signed poll: its number says nothing. A task is
    pushed again where flwr says that it or its node was lost, where the node came back, and after ``again`` seconds
    of silence: that is to be longer than a task takes. A device gives the same answer twice, and the server counts
    it once. What its device has not signed, and what answers another task, is refused, ``log`` is told of it, a line
    each, :attr:`refused` counts it, and the node is asked again, after twice as long each time, up to a minute.

    pause: seconds between two looks at the SuperLink. clock: seconds, never less than before.
    """

    def __init__(
        self, link: Link, devices: Mapping[str, bytes], run: str, most: int, parts: Mapping[str, str] | None = None, *,
        again: float = AGAIN, pause: float = 0.5, log: Callable[[str], None] = lambda line: None,
        clock: Callable[[], float] = time.monotonic, sleep: Callable[[float], None] = time.sleep,
    ) -> None:  # fmt: skip
        """Raises ``InvalidInput`` for seconds that are none."""
        if not again > 0 or not pause >= 0:
            raise InvalidInput("again, pause", f"{again}, {pause}", "give seconds, above and from 0")
        self._link, self._devices, self._run, self._parts = link, dict(devices), run, dict(parts or {})
        self._most, self._again, self._pause, self._log = most, again, pause, log
        self._clock, self._sleep = clock, sleep
        # Seconds of the day when this began, and those that have passed since: nobody who sets the clock turns it back.
        self._began = time.time() - clock()
        self.refused: Counter[str] = Counter()
        self._since: dict[int, str] = {}  # node -> when it came last
        self._online: set[int] = set()
        self._node: dict[str, int] = {}
        self._polled: dict[str, float] = {}  # device -> its clock
        self._hellos: dict[int, _Told] = {}
        self._tasks: dict[str, _Told] = {}  # one a device, also of those that have not yet said who they are
        self._coming: deque[Delivery] = deque()
        self._looked = float("-inf")

    def now(self) -> float:
        return self._began + self._clock()

    def here(self) -> Mapping[str, str]:
        self._look()
        return {c: self._parts.get(c, "") for c, node in self._node.items() if node in self._online}

    def send(self, client: str, message: Message) -> None:
        self._tasks[client] = _Told(message)
        self._push()

    def withdraw(self, client: str) -> None:
        self._tasks.pop(client, None)

    def receive(self, until: float) -> Delivery | None:
        if not self._coming:
            wait = min(until - self.now(), self._looked + self._pause - self._clock())
            if wait > 0:
                self._sleep(wait)
            self._look()
        return self._coming[0] if self._coming else None

    def done(self, delivery: Delivery) -> None:
        self._coming.popleft()

    def _look(self) -> None:
        """At most once a pause: which nodes are there, what is to be pushed, what has come."""
        if self._clock() < self._looked + self._pause:
            return
        self._looked = self._clock()
        nodes = self._link.nodes()
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
        now = self._clock()
        for node, kind, told in self._all():
            if told.id and now >= told.at + self._again:
                told.id = ""
            if not told.id and node in self._online and now >= told.at:
                data = None if told.task is None else told.task.packed()
                told.id, told.at = self._link.push(node, kind, data, self._again), now

    def _pull(self) -> None:
        waited = {told.id: (node, told) for node, _, told in self._all() if told.id}
        if not waited:
            return
        for reply in self._link.pull(list(waited)):
            if reply.to not in waited:  # or the same once more
                continue
            node, told = waited.pop(reply.to)
            why = reply.error or self._refusal(node, told, reply)
            if why:
                self._log(f"SuperNode {node}: {why}")
                told.failed += 1
                told.id, told.at = "", self._clock() + min(LATER, 2.0 ** min(told.failed, 9) - 1)

    def _refusal(self, node: int, told: _Told, reply: Reply) -> str:
        """Why an answer is none; "" for one that was taken."""
        if reply.data is None:
            return f"nothing to say to a {HELLO if told.task is None else TASK}"
        try:
            if len(reply.data) > self._most:
                raise Refused(f"a message of {len(reply.data):,} B where at most {self._most:,} are due")
            if told.task is None:
                self._greeted(node, reply.data)
            else:
                self._answered(told.task, reply.data)
        except Refused as error:
            reason = re.sub(r"[\d,]*\d", "N", str(error))  # nobody makes reasons without end
            self.refused[reason if whose(reply.data) in self._devices else "of nobody who is known here"] += 1
            return str(error)
        return ""

    def _answered(self, task: Message, data: bytes) -> None:
        client = whose(data)
        answer = read(data, self._devices.get(client), self._most)
        if answer.kind not in ANSWERS:
            raise Refused(f"a {answer.kind} where an update is due")
        if not answers(answer.head, task.head):
            raise Refused("an answer to another task")
        del self._tasks[client]
        self._coming.append(Delivery(data))

    def _greeted(self, node: int, data: bytes) -> None:
        client = whose(data)
        message = read(data, self._devices.get(client), 0)
        head = message.head
        # A poll that somebody caught and sends again is not later than the last.
        late = message.kind == "poll" and head["now"] <= self._polled.get(client, -1.0)
        if message.kind != "poll" or head["run"] != self._run or late:
            raise Refused(f"no poll of {self._run}, or an old one")
        del self._hellos[node]
        if self._node.get(client, node) != node and client in self._tasks:
            self._tasks[client].id = ""  # it is elsewhere now
        self._polled[client], self._node[client] = head["now"], node
