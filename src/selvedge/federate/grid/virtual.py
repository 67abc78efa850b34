"""A grid in virtual time: thousands of devices in one process, whose faults and speeds a seed draws."""

from __future__ import annotations

from bisect import insort
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from ...artifact.number import finite
from ...errors import InvalidInput
from ..message import Message, learns
from ..names import names
from ..spill import Place, Spill
from .faults import Faults
from .grid import Delivery

Handle: TypeAlias = Callable[..., Message | None]
ROOM = 32 << 20  # bytes of answers under way that are in memory
TASKS = 1 << 19  # and of tasks, without their bodies


@dataclass(frozen=True, slots=True)
class Device:
    """``handle``: a task's bytes -> the answer, or None. part: of the model. seconds: that a task takes. link: bytes a
    second, both ways. restart: what handles tasks after a crash, out of what the device has stored, or, where it is
    given True, without that; None: a device that has nothing in memory. apart: ``handle`` takes what is before a task's
    body, and the body, which is that of many: nothing is copied."""

    handle: Handle
    part: str = ""
    seconds: float = 1.0
    link: float = 1e6
    restart: Callable[[bool], Handle] | None = None
    apart: bool = False

    def __post_init__(self) -> None:
        for name, value, above in (("seconds", self.seconds, False), ("link", self.link, True)):
            number = finite(value)
            if number is None or number < 0 or (above and number == 0):
                raise InvalidInput(f"device {name}", value, f"give a finite number {'above' if above else '>='} 0")


class _Coming(NamedTuple):
    """What is under way, by when it comes: a task, an answer, or a device that is back after a crash. Bodies of tasks
    are shared; that of an answer may lie in the spill, and what is before that of a task. digest: of a body that is as
    its device made it."""

    at: float
    number: int  # no two have the same: nothing behind it is ever compared
    client: str
    kind: Literal["task", "answer", "back"]
    top: bytes | Place = b""
    body: bytes | Place = b""
    digest: bytes | None = None


class VirtualGrid:
    """The devices by name, which are looked up when they are needed: they may be made then. Time passes only in
    :meth:`receive`; a device's answer is computed when its task is done, and of all answers under way no more than
    :data:`ROOM` bytes are in memory (of tasks, :data:`TASKS`), the others in a temporary file. A task that is withdrawn
    while it is under way arrives: who has begun does not know better.

    threads: compute the answers of the next tasks before it is their time. Only for devices that share nothing with
    each other and with who else runs meanwhile, and a network and devices without faults; the run is the same.

    :attr:`counted`: messages, bytes and faults so far.
    """

    def __init__(
        self, devices: Mapping[str, Device], seed: int = 0, faults: Faults | None = None, threads: int = 0
    ) -> None:
        """Raises ``InvalidInput`` for threads with faults."""
        self._devices, self._faults = devices, faults or Faults()
        if threads and self._faults != Faults():
            raise InvalidInput("threads", threads, "with faults, who crashes is known only when it is time: give 0")
        self._threads = ThreadPoolExecutor(threads) if threads else None
        self._ahead = threads + 1 if threads else 0
        self._begun: dict[int, Future[Message | None]] = {}  # by number
        self._spill: Spill | None = None
        self._room, self._task_room = ROOM, TASKS
        self._random = np.random.default_rng([31, seed])
        self._now = 0.0
        self._number = 0
        self._coming: list[_Coming] = []
        self._handles: dict[str, Handle] = {}  # of devices that have begun anew
        self._tasks: dict[str, tuple[bytes, bytes]] = {}  # that stand
        self._down: dict[str, float] = {}  # devices that have crashed, and when they are back
        self._held: Delivery | None = None
        apart = (
            self._random.random(len(devices)) < self._faults.cut
        )  # drawn in any case: faults behind it stay the same
        self._cut = {c.decode() for c in names(devices)[apart]} if self._faults.partitions and apart.any() else set()
        self.counted: Counter[str] = Counter()

    def now(self) -> float:
        return self._now

    def here(self) -> Mapping[str, str]:
        return _Here(self._devices, lambda client: self._reached(client, self._now))

    def send(self, client: str, message: Message) -> None:
        self._send(client, message.top, message.body)

    def _send(self, client: str, top: bytes, body: bytes) -> None:
        if self._faults.crash:  # who is back asks again
            self._tasks[client] = top, body
        device, faults, size = self._devices[client], self._faults, len(top) + len(body)
        self.counted["down"] += size
        for _ in range(2 if self._happens("duplicate", faults.duplicate) else 1):
            if self._happens("drop", faults.drop) or not self._reached(client, self._now):
                continue
            took = (device.seconds if learns(top) else 0.0) + size / device.link + self._late()
            self._push(self._now + took, client, "task", *self._spoilt(top, body))

    def withdraw(self, client: str) -> None:
        self._tasks.pop(client, None)

    def receive(self, until: float) -> Delivery | None:
        if self._held is not None:
            return self._held
        while self._coming and self._coming[0].at <= until:
            self._begin()
            coming = self._coming.pop(0)
            client, digest = coming.client, coming.digest
            top, body = self._parts(coming)
            self._now = max(self._now, coming.at)
            faults = self._faults
            if coming.kind == "back":
                del self._down[client]
                if client in self._tasks:
                    self._send(client, *self._tasks[client])
                continue
            if coming.kind == "task":
                if client in self._down:
                    continue
                if self._happens("crash", faults.crash):
                    self._crash(client, top, body)
                    continue
                begun = self._begun.pop(coming.number, None)
                device = self._devices[client]
                message = self._answer(client, device)(top, body) if begun is None else begun.result()
                if message is None:
                    continue
                size = message.size
                self.counted["up"] += size
                top, body = self._spoilt(message.top, message.body)
                digest = message.digest if body is message.body else None
                way = size / device.link + self._late()
                if self._happens("drop", faults.drop) or not self._reached(client, self._now):
                    continue
                if self._happens("duplicate", faults.duplicate):
                    self._push(self._now + way + self._late(), client, "answer", top, body, digest)
                if way > 0 and self._coming and self._coming[0].at < self._now + way:
                    self._push(self._now + way, client, "answer", top, body, digest)
                    continue
                self._now += way
                if self._now > until:  # it will have arrived by then, but not before
                    self._push(self._now, client, "answer", top, body, digest)
                    self._now = until
                    return None
            self.counted["messages"] += 1
            self._held = Delivery(top + body) if digest is None else Delivery(top, body=body, digest=digest)
            return self._held
        self._now = max(self._now, until)
        return None

    def done(self, delivery: Delivery) -> None:
        self._held = None

    def state(self) -> tuple[dict[str, Any], npt.NDArray[np.uint8]]:
        """All that has happened, between two messages: what JSON has, and the bytes of messages, each once."""
        assert self._held is None, "a message was received and is not done"
        places: dict[int, int] = {}
        pieces: list[bytes] = []

        def at(data: bytes) -> int:
            if id(data) not in places:
                places[id(data)] = len(pieces)
                pieces.append(data)
            return places[id(data)]

        parts = [(self._read(c.top), self._read(c.body)) for c in self._coming]
        coming = [
            [c.at, c.number, c.client, c.kind, at(top), at(body)]
            for c, (top, body) in zip(self._coming, parts, strict=True)
        ]
        tasks = [[c, at(top), at(body)] for c, (top, body) in self._tasks.items()]
        head = {"now": self._now, "number": self._number, "random": self._random.bit_generator.state, "coming": coming,
                "tasks": tasks, "down": self._down, "counted": dict(self.counted),
                "sizes": [len(piece) for piece in pieces]}  # fmt: skip
        return head, np.frombuffer(b"".join(pieces), np.uint8)

    def load(self, head: Mapping[str, Any], messages: npt.NDArray[np.uint8]) -> None:
        """Go on from :meth:`state`, with the same devices, as they are when they come back out of their stores."""
        ends = np.cumsum(head["sizes"], dtype=np.int64)
        pieces = [messages[end - size : end].tobytes() for end, size in zip(ends, head["sizes"], strict=True)]
        self._now, self._number, self.counted = head["now"], head["number"], Counter(head["counted"])
        self._random.bit_generator.state = head["random"]
        self._coming = sorted(
            _Coming(at, n, c, kind, pieces[top], pieces[body]) for at, n, c, kind, top, body in head["coming"]
        )
        self._tasks = {c: (pieces[top], pieces[body]) for c, top, body in head["tasks"]}
        self._down = dict(head["down"])

    def _push(
        self, at: float, client: str, kind: Literal["task", "answer", "back"], top: bytes = b"", body: bytes = b"",
        digest: bytes | None = None,
    ) -> None:  # fmt: skip
        self._number += 1
        first: bytes | Place = top
        second: bytes | Place = body
        if kind == "answer":
            if len(body) > self._room:
                second = self._put(body)
            else:
                self._room -= len(body)
        elif kind == "task":
            if len(top) > self._task_room:
                first = self._put(top)
            else:
                self._task_room -= len(top)
        insort(self._coming, _Coming(at, self._number, client, kind, first, second, digest))

    def _parts(self, coming: _Coming) -> tuple[bytes, bytes]:
        """Of what has come: its places are given up."""
        top, body = self._read(coming.top), self._read(coming.body)
        for part in (coming.top, coming.body):
            if isinstance(part, Place):
                assert self._spill is not None, "it was put there"
                self._spill.drop(part)
        if coming.kind == "answer" and not isinstance(coming.body, Place):
            self._room += len(body)
        elif coming.kind == "task" and not isinstance(coming.top, Place):
            self._task_room += len(top)
        return top, body

    def _put(self, data: bytes) -> Place:
        self._spill = self._spill or Spill()
        return self._spill.put([data])

    def _read(self, part: bytes | Place) -> bytes:
        if not isinstance(part, Place):
            return part
        assert self._spill is not None, "it was put there"
        return bytes(memoryview(self._spill.get(part)))

    def _answer(self, client: str, device: Device) -> Callable[[bytes, bytes], Message | None]:
        handle = self._handles.get(client) or device.handle
        return handle if device.apart else lambda top, body: handle(top + body)

    def _begin(self) -> None:
        """Let the threads compute what is due next."""
        if self._threads is not None:
            for coming in self._coming[: self._ahead]:
                if coming.kind == "task" and coming.number not in self._begun:
                    assert not isinstance(coming.body, Place), "a task is not spilt"
                    answer = self._answer(coming.client, self._devices[coming.client])
                    self._begun[coming.number] = self._threads.submit(answer, self._read(coming.top), coming.body)

    def _crash(self, client: str, top: bytes, body: bytes) -> None:
        """In the middle of a task: before its answer was stored, or, as often, behind that."""
        if self._random.random() < 0.5:
            self._answer(client, self._devices[client])(top, body)
        restart = self._devices[client].restart
        if restart is not None:
            self._handles[client] = restart(self._happens("lose", self._faults.lose))
        self._down[client] = self._now + self._faults.late
        self._push(self._down[client], client, "back")

    def _happens(self, what: str, probability: float) -> bool:
        if probability and self._random.random() < probability:
            self.counted[what] += 1
            return True
        return False

    def _late(self) -> float:
        return float(self._random.exponential(self._faults.late)) if self._happens("delay", self._faults.delay) else 0.0

    def _spoilt(self, top: bytes, body: bytes) -> tuple[bytes, bytes]:
        if not self._happens("corrupt", self._faults.corrupt):
            return top, body
        made = bytearray(top + body)
        made[int(self._random.integers(len(made)))] ^= int(self._random.integers(1, 256))
        return bytes(made[: len(top)]), bytes(made[len(top) :])

    def _reached(self, client: str, at: float) -> bool:
        return client not in self._down and not (
            client in self._cut and any(start <= at < end for start, end in self._faults.partitions)
        )


class _Here(Mapping[str, str]):
    """The part of each device that is reached now: looked up when somebody asks."""

    def __init__(self, devices: Mapping[str, Device], reached: Callable[[str], bool]) -> None:
        self._devices, self._reached = devices, reached

    def __getitem__(self, client: str) -> str:
        if not self._reached(client):
            raise KeyError(client)
        return self._devices[client].part

    def __iter__(self) -> Iterator[str]:
        return filter(self._reached, self._devices)

    def __len__(self) -> int:
        return sum(1 for _ in self)
