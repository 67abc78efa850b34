"""A device in a run: a task in, an update out; the same task again, the same update again."""

from __future__ import annotations

import hashlib
from dataclasses import asdict
from typing import Any

import numpy as np

from ...errors import InvalidInput
from ...learn.draws import Draws
from .. import bodies, shown
from ..codec.codec import Malformed, Vector, count
from ..codec.named import codec
from ..federation import Local
from ..feedback import encoded
from ..keys import Key
from ..message import Message, Refused, made, read
from .store import PERSONAL, Store
from .trainer import CannotTrain, Trainer

DIGITS = 4  # of a loss: what is worth sending
CONTROL = 4  # bytes of an element of the server's control variate


class Participant:
    """``name``, ``key``: who this is. ``server``: the server's public key. What must outlive a crash is in ``store``:
    what error feedback has left, the control variate, the model of the version it has, its last answer, and the layers
    that stay here as they were behind it: one record, written at once.

    A device crashes at any moment: an answer is stored before it is sent, and sent again when it is asked again.
    """

    def __init__(self, name: str, key: Key, server: bytes, trainer: Trainer, store: Store, seed: int = 0) -> None:
        self.name, self._key, self._server = name, key, server
        self._trainer, self._store = trainer, store
        # Devices round by lots of their own: errors that are alike do not cancel.
        self._own = int.from_bytes(hashlib.sha256(f"{seed} {name}".encode()).digest()[:8], "little")

    def handle(self, data: bytes, body: bytes | None = None) -> Message | None:
        """The answer to a message, or None for one that is not the server's or is of an earlier task. body: where that
        is not a part of ``data``."""
        shapes = tuple(self._trainer.layout.shapes.values())
        try:
            message = read(data, self._server, 8 * count(shapes) * CONTROL + (1 << 16), body)
        except Refused:
            return None
        head = message.head
        if message.kind != "task" or head["client"] != self.name:
            return None
        kept = self._store.load()
        before, arrays = kept if kept is not None and kept[0]["run"] == head["run"] else ({}, {})
        if before and head["task"] == before["task"]:
            return self._again(before, arrays["body"].tobytes())
        if before and head["task"] < before["task"]:
            return None
        try:
            return self._learn(head, message.body, before, dict(arrays), shapes)
        except (CannotTrain, Malformed, InvalidInput, TypeError) as error:
            why = str(error)[:200]
            return made(
                "refusal", {"run": head["run"], "task": head["task"], "client": self.name, "why": why}, b"", self._key
            )

    def _again(self, before: Any, body: bytes) -> Message:
        return made("update", {n: before[n] for n in UPDATE}, body, self._key)

    def _learn(
        self, head: Any, body: bytes, before: Any, arrays: dict[str, Vector], shapes: tuple[tuple[int, ...], ...]
    ) -> Message:
        # The server may be wrong, or worse: what it asks for is looked at as if a user had given it.
        local, layout, up = Local(**head["local"]), self._trainer.layout, codec(head["up"])
        if head["layout"] != layout.digest:
            raise CannotTrain("a task for another model")
        scaffold = local.scaffold
        control = None
        if scaffold:
            end = len(body) - CONTROL * layout.size
            if end < 0:
                raise Malformed("a task without its control variate")
            control, body = np.frombuffer(body[end:], "<f4").astype(np.float32), body[:end]
        mine = arrays.get("model") if before and before["have"] == head["base"] else None
        start = shown.read(
            head["base"], body, mine, head["difference"], codec(head["down"]), shapes, head["model_seed"]
        )
        taken = bool(before) and head["taken"] == before["task"]
        own = {n: arrays.get(f"new.{n}" if taken else n) for n in ("left", "left_control", "control")}
        if before and before["window"] != head["window"]:  # it is of other elements
            own["left"] = None
        found = self._trainer.train(start, asdict(local), head["task"], control, own["control"])
        numbers = [found.vector, np.array(found.loss), *([] if found.control is None else [found.control])]
        if not all(np.isfinite(a).all() for a in numbers):
            raise CannotTrain("what was learnt is no finite number")
        draws = Draws(self._own, head["task"] << 32)
        change = encoded(found.vector - start, own["left"], up, shapes, head["seed"], draws)
        second = None
        if scaffold:
            assert found.control is not None, "a trainer that was given a control variate gives one back"
            was = np.zeros(layout.size, np.float32) if own["control"] is None else own["control"]
            second = encoded(found.control - was, own["left_control"], up, shapes, head["seed"], draws)
        whole = bodies.packed(change.data, second.data if second else None)
        answer = {
            "run": head["run"], "task": head["task"], "client": self.name, "weight": found.weight,
            "loss": float(f"{found.loss:.{DIGITS}g}"),
            "control": scaffold, "have": head["version"] if head["difference"] else -1,
        }  # fmt: skip
        kept = {n: a for n, a in own.items() if a is not None}
        kept |= {"new.left": change.left, "body": np.frombuffer(whole, np.uint8)}
        if second is not None and found.control is not None:
            kept |= {"new.left_control": second.left, "new.control": found.control}
        if head["difference"]:
            kept["model"] = start
        kept |= {PERSONAL + n: a for n, a in found.personal.items()}
        self._store.save({**answer, "window": head["window"]}, kept)
        return self._again(answer, whole)


UPDATE = ("run", "task", "client", "weight", "loss", "control", "have")
