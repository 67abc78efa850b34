"""Three devices of the suite that runs on every grid, and what becomes of their answers on the way."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from selvedge.federate.client.masking import Masking
from selvedge.federate.client.participant import Participant
from selvedge.federate.client.store import InFile
from selvedge.federate.message import Message, made

from .toward import DEVICES, LAYOUT, SERVER, Toward, key, name

COUNT, ROUNDS = 3, 3
ODD = 1  # the task whose answer is one that no device may give
POINTS = (2 + 0.5 * np.random.default_rng(11).normal(size=(COUNT, LAYOUT.size))).astype(np.float32)
# What the first try of each of device 0's answers becomes; the second arrives as it is.
ONCE = ("drop", "corrupt", "unsigned", "oversized", "another run", "no update")
# What arrives beside them, and what device 0 says itself.
FAULTS = (*ONCE, "duplicate", "stale", "reorder", "nan", "shape")


def participant(i: int, folder: Path, masked: bool = False) -> Participant:
    """Device ``i`` as it begins, out of its file."""
    masking = Masking.among(DEVICES) if masked else None
    trainer, store = Toward(POINTS[i], weight=1 + i), InFile(folder / f"{i}.state")
    return Participant(name(i), key(i), SERVER.public, trainer, store, i, masking)


class Mouth:
    """Of device ``i``, under a ``fault``."""

    def __init__(self, fault: str, i: int) -> None:
        self.late = (COUNT - 1 - i) if fault == "reorder" else 0  # places behind its turn
        self._fault = fault if i == 0 else ""
        self._tried: set[tuple[int, str]] = set()
        self._before: bytes | None = None

    def says(self, answer: Message) -> list[bytes]:
        """What arrives of it; nothing, where it is lost."""
        if answer.kind not in ("update", "said"):
            return [answer.packed()]
        data, task, fault = answer.packed(), answer.head["task"], self._fault
        asked = task, answer.head.get("stage", "")
        first = asked not in self._tried
        self._tried.add(asked)
        before, self._before = self._before, data
        if first and fault in ONCE:
            return self._once(answer)
        if first and fault == "duplicate":
            return [data, data]
        if first and fault == "stale" and before is not None:
            return [before, data]
        if task == ODD and fault == "nan":
            return [_by(answer, np.full(LAYOUT.size, np.nan, "<f4").tobytes())]
        if task == ODD and fault == "shape":
            return [_by(answer, answer.body[:-4])]
        return [data]

    def _once(self, answer: Message) -> list[bytes]:
        data, head = bytearray(answer.packed()), dict(answer.head)
        if self._fault == "drop":
            return []
        if self._fault == "corrupt":
            data[-1] ^= 0x40
            return [bytes(data)]
        if self._fault == "unsigned":
            return [made(answer.kind, head, answer.body, key(9)).packed()]
        if self._fault == "oversized":
            return [_by(answer, answer.body + bytes(1 << 20))]
        if self._fault == "another run":
            return [made(answer.kind, {**head, "run": "tried/of-another-day"}, answer.body, key(0)).packed()]
        return [made("poll", {"run": "tried", "client": name(0), "now": 1e12}, b"", key(0)).packed()]


def _by(answer: Message, body: bytes) -> bytes:
    """Signed as it ought to be."""
    return made(answer.kind, answer.head, body, key(0)).packed()
