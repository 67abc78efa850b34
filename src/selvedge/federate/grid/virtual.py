"""A grid in virtual time: thousands of devices in one process, whose faults and speeds a seed draws."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..message import Message
from .faults import Faults
from .grid import Delivery


@dataclass(frozen=True, slots=True)
class Device:
    """``handle``: a task's bytes -> the answer, or None. part: of the model. seconds: that a task takes. link: bytes a
    second, both ways. crash: lets it lose what it has in memory."""

    handle: Callable[[bytes], Message | None]
    part: str = ""
    seconds: float = 1.0
    link: float = 1e6
    crash: Callable[[], None] = lambda: None


class VirtualGrid:
    """The devices by name. Time passes only in :meth:`receive`; a device's answer is computed when it arrives, so that
    of all answers under way none takes room.

    :attr:`counted`: messages, bytes and faults so far.
    """

    def __init__(self, devices: Mapping[str, Device], seed: int = 0, faults: Faults | None = None) -> None:
        self._devices, self._faults = dict(devices), faults or Faults()
        self._random = np.random.default_rng([31, seed])
        self._now = 0.0
        self._number = 0
        self._coming: list[tuple[float, int, str, bytes, bool]] = []  # the last: whether it has been answered already
        self._held: Delivery | None = None
        self._cut = {c: bool(self._random.random() < self._faults.cut) for c in sorted(self._devices)}
        self.counted: Counter[str] = Counter()

    def now(self) -> float:
        return self._now

    def here(self) -> Mapping[str, str]:
        return {c: d.part for c, d in self._devices.items() if self._reached(c, self._now)}

    def send(self, client: str, message: Message) -> None:
        device, faults = self._devices[client], self._faults
        self.counted["down"] += message.size
        data = message.packed()
        for _ in range(2 if self._happens("duplicate", faults.duplicate) else 1):
            if self._happens("drop", faults.drop) or not self._reached(client, self._now):
                continue
            took = device.seconds + message.size / device.link + self._late()
            self._push(self._now + took, client, self._spoilt(data), False)

    def receive(self, until: float) -> Delivery | None:
        if self._held is not None:
            return self._held
        while self._coming and self._coming[0][0] <= until:
            at, _, client, data, answered = heapq.heappop(self._coming)
            self._now = max(self._now, at)
            device, faults = self._devices[client], self._faults
            if not answered:
                if self._happens("crash", faults.crash):
                    device.crash()
                    continue
                message = device.handle(data)
                if message is None:
                    continue
                size, data = message.size, message.packed()
                self.counted["up"] += size
                data = self._spoilt(data)
                way = size / device.link + self._late()
                if self._happens("drop", faults.drop) or not self._reached(client, self._now):
                    continue
                if self._happens("duplicate", faults.duplicate):
                    self._push(self._now + way + self._late(), client, data, True)
                if way > 0 and self._coming and self._coming[0][0] < self._now + way:
                    self._push(self._now + way, client, data, True)
                    continue
                self._now += way
                if self._now > until:  # it will have arrived by then, but not before
                    self._push(self._now, client, data, True)
                    self._now = until
                    return None
            self.counted["messages"] += 1
            self._held = Delivery(data)
            return self._held
        self._now = max(self._now, until)
        return None

    def done(self, delivery: Delivery) -> None:
        self._held = None

    def state(self) -> tuple[dict[str, Any], npt.NDArray[np.uint8]]:
        """All that has happened, between two messages: what JSON has, and the bytes of messages under way."""
        assert self._held is None, "a message was received and is not done"
        coming = [[at, n, client, len(data), answered] for at, n, client, data, answered in self._coming]
        head = {"now": self._now, "number": self._number, "random": self._random.bit_generator.state,
                "coming": coming, "counted": dict(self.counted)}  # fmt: skip
        return head, np.frombuffer(b"".join(data for _, _, _, data, _ in self._coming), np.uint8)

    def load(self, head: Mapping[str, Any], under_way: npt.NDArray[np.uint8]) -> None:
        """Go on from :meth:`state`, with the same devices."""
        self._now, self._number, self.counted = head["now"], head["number"], Counter(head["counted"])
        self._random.bit_generator.state = head["random"]
        self._coming, at = [], 0
        for when, number, client, size, answered in head["coming"]:
            self._coming.append((when, number, client, under_way[at : at + size].tobytes(), answered))
            at += size

    def _push(self, at: float, client: str, data: bytes, answered: bool) -> None:
        self._number += 1
        heapq.heappush(self._coming, (at, self._number, client, data, answered))

    def _happens(self, what: str, probability: float) -> bool:
        if probability and self._random.random() < probability:
            self.counted[what] += 1
            return True
        return False

    def _late(self) -> float:
        return float(self._random.exponential(self._faults.late)) if self._happens("delay", self._faults.delay) else 0.0

    def _spoilt(self, data: bytes) -> bytes:
        if not self._happens("corrupt", self._faults.corrupt):
            return data
        made = bytearray(data)
        made[int(self._random.integers(len(made)))] ^= int(self._random.integers(1, 256))
        return bytes(made)

    def _reached(self, client: str, at: float) -> bool:
        return not (self._cut[client] and any(start <= at < end for start, end in self._faults.partitions))
