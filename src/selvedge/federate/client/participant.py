"""A device in a run: a task in, an update out; the same task again, the same update again."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np

from ...errors import InvalidInput
from ...learn.draws import Draws
from .. import bodies, shown
from ..codec.codec import Malformed, Shapes, Vector, count
from ..codec.named import codec
from ..feedback import encoded
from ..keys import Signer
from ..local import Local
from ..message import Message, Refused, made, read
from .store import PERSONAL, Store
from .trainer import CannotTrain, Trained, Trainer

if TYPE_CHECKING:
    from ..codec.masked import IntVector
    from ..masking.terms import Terms
    from .masking import Asked, Masking

DIGITS = 4  # of a loss: what is worth sending
ROOM = 1 << 16  # bytes of a task besides the model
CONTROL = 4  # bytes of an element of the server's control variate


class Participant:
    """``name``, ``key``: who this is. ``server``: the server's public key. What must outlive a crash is in ``store``:
    what error feedback has left, the control variate, the model of the version it has, its last answer, and the layers
    that stay here as they were behind it: one record, written at once.

    A device crashes at any moment: an answer is stored before it is sent, and sent again when it is asked again.

    masking: how it takes part where the server learns sums alone; a task that asks for its change by itself is then
    refused. None: in runs that are not masked.
    """

    def __init__(
        self, name: str, key: Signer, server: bytes, trainer: Trainer, store: Store, seed: int = 0,
        masking: Masking | None = None,
    ) -> None:  # fmt: skip
        self.name, self._key, self._server, self._masking = name, key, server, masking
        self._trainer, self._store = trainer, store
        # Devices round by lots of their own: errors that are alike do not cancel.
        self._own = int.from_bytes(hashlib.sha256(f"{seed} {name}".encode()).digest()[:8], "little")

    def handle(self, data: bytes, body: bytes | None = None) -> Message | None:
        """The answer to a message, or None for one that is not the server's or is of an earlier task. body: where that
        is not a part of ``data``."""
        shapes = tuple(self._trainer.layout.shapes.values())
        room = ROOM if self._masking is None else self._masking.room
        try:
            message = read(data, self._server, 8 * count(shapes) * CONTROL + room, body)
        except Refused:
            return None
        head = message.head
        if message.kind not in ("task", "ask", "learn") or head["client"] != self.name:
            return None
        try:
            return self._task(head, message.body, shapes) if message.kind == "task" else self._stage(message, shapes)
        except (CannotTrain, Malformed, InvalidInput, Refused, TypeError) as error:
            why = str(error)[:200]
            return made(
                "refusal", {"run": head["run"], "task": head["task"], "client": self.name, "why": why}, b"", self._key
            )

    def _task(self, head: Any, body: bytes, shapes: Shapes) -> Message | None:
        kept = self._store.load()
        before, arrays = ({}, {}) if kept is None else (kept[0], dict(kept[1]))
        if before and before["run"] != head["run"]:
            before, arrays = {}, {n: a for n, a in arrays.items() if n.startswith(PERSONAL)}
        if before and head["task"] == before["task"] and "body" in arrays:
            return self._again(before, arrays["body"].tobytes())
        if before and head["task"] < before["task"]:
            return None
        if self._masking is not None:
            raise CannotTrain("an unmasked task, in a run that this device has joined as a masked one")
        return self._learn(head, body, before, arrays, shapes)

    def _stage(self, message: Message, shapes: Shapes) -> Message | None:
        """The answer to a stage of a masked round."""
        if self._masking is None:
            raise CannotTrain("a masked round, in a run that this device has joined as one that is not")
        from .masking import Stages, asked_of  # a device of other runs is to have the memory

        head, kept = message.head, self._store.load()
        # Of another run, what it was asked for last is kept, so that nothing is answered twice; what was left is not.
        same = kept is not None and kept[0]["run"] == head["run"]
        before, arrays = ({}, {}) if kept is None else (dict(kept[0]), dict(kept[1]))
        if not same:
            before = {"run": head["run"], "task": -1, "window": 0, "have": -1, "masked": before.get("masked")}
            arrays = {n: a for n, a in arrays.items() if n.startswith(PERSONAL)}
        asked = asked_of(message)
        stages = Stages(self._masking, self.name, self._key, before.get("masked"))
        if same and stages.is_over(asked):
            return None
        if same and stages.is_answered(asked):
            return self._said(asked, before["have"], arrays["said"].tobytes())
        terms = stages.terms(asked)
        values, learnt = None, (before, arrays)
        if asked.stage == "input":
            values, learnt = self._masked(
                head, message.body, before if before["task"] >= 0 else {}, arrays, shapes, terms
            )
        answer = stages.answer(asked, terms, values)
        before, arrays = learnt
        arrays["said"] = np.frombuffer(answer, np.uint8)
        self._store.save({**before, "masked": stages.state(asked, terms)}, arrays)
        return self._said(asked, before["have"], answer)

    def _said(self, asked: Asked, have: int, answer: bytes) -> Message:
        head = {"run": asked.run, "task": asked.task, "client": self.name, "stage": asked.stage}
        return made("said", {**head, "have": have if asked.stage == "input" else -1}, answer, self._key)

    def _masked(
        self, head: Any, body: bytes, before: Any, arrays: dict[str, Vector], shapes: Shapes, terms: Terms
    ) -> tuple[IntVector, tuple[dict[str, Any], dict[str, Any]]]:
        """(values, what is to be kept once they are answered with)."""
        local, layout = Local(**head["local"]), self._trainer.layout
        from ..codec.masked import Maskable

        text, _, asked = terms.codec.partition(" ")
        if local.text() != asked:
            raise CannotTrain("other steps than those that this group agreed on")
        up = Maskable.of(text, layout.size)
        if (up.size, up.bits) != (terms.size, terms.bits):
            raise CannotTrain("a masked round for values of another number")
        if local.scaffold:
            raise CannotTrain("control variates, in a masked round")
        start, own = self._start(head, body, before, arrays, shapes)
        if hashlib.sha256(start.astype("<f4").tobytes()).hexdigest() != terms.model:
            raise CannotTrain("another model than the one that this group agreed on")
        found = self._found(start, local, head, None, None)
        whole = found.vector - start if own["left"] is None else found.vector - start + own["left"]
        values, left = up.encode(whole, found.loss, Draws(self._own, head["task"] << 32))
        kept = {n: a for n, a in own.items() if a is not None} | {"new.left": left}
        kept |= self._beside(head, start, found, arrays)
        have = head["version"] if head["difference"] else -1
        return values, ({"run": head["run"], "task": head["task"], "window": head["window"], "have": have}, kept)

    def _again(self, before: Any, body: bytes) -> Message:
        return made("update", {n: before[n] for n in UPDATE}, body, self._key)

    def _start(
        self, head: Any, body: bytes, before: Any, arrays: dict[str, Vector], shapes: Shapes
    ) -> tuple[Vector, dict[str, Vector | None]]:
        """(the model to begin with, what is left of earlier changes and the control variate, by name)."""
        if head["layout"] != self._trainer.layout.digest:
            raise CannotTrain("a task for another model")
        mine = arrays.get("model") if before and before["have"] == head["base"] else None
        start = shown.read(
            head["base"], body, mine, head["difference"], codec(head["down"]), shapes, head["model_seed"]
        )
        taken = bool(before) and head["taken"] == before["task"]
        own = {n: arrays.get(f"new.{n}" if taken else n) for n in ("left", "left_control", "control")}
        if before and before["window"] != head["window"]:  # it is of other elements
            own["left"] = None
        return start, own

    def _found(
        self, start: Vector, local: Local, head: Any, control: Vector | None, own: Vector | None
    ) -> Trained:  # fmt: skip
        found = self._trainer.train(start, asdict(local), head["task"], control, own)
        numbers = [found.vector, np.array(found.loss), *([] if found.control is None else [found.control])]
        if not all(np.isfinite(a).all() for a in numbers):
            raise CannotTrain("what was learnt is no finite number")
        return found

    def _beside(self, head: Any, start: Vector, found: Trained, arrays: Mapping[str, Vector]) -> dict[str, Any]:
        """What is kept besides a change: the model, where the next one is sent as the difference to it, and own
        layers, as they were in ``arrays`` where they were not learnt."""
        model = {"model": start} if head["difference"] else {}
        were = {n: a for n, a in arrays.items() if n.startswith(PERSONAL)}
        return model | were | {PERSONAL + n: a for n, a in found.personal.items()}

    def _learn(self, head: Any, body: bytes, before: Any, arrays: dict[str, Vector], shapes: Shapes) -> Message:
        # The server may be wrong, or worse: what it asks for is looked at as if a user had given it.
        local, layout, up = Local(**head["local"]), self._trainer.layout, codec(head["up"])
        scaffold = local.scaffold
        control = None
        if scaffold:
            end = len(body) - CONTROL * layout.size
            if end < 0:
                raise Malformed("a task without its control variate")
            control, body = np.frombuffer(body[end:], "<f4").astype(np.float32), body[:end]
        start, own = self._start(head, body, before, arrays, shapes)
        found = self._found(start, local, head, control, own["control"])
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
        kept |= self._beside(head, start, found, arrays)
        self._store.save({**answer, "window": head["window"]}, kept)
        return self._again(answer, whole)


UPDATE = ("run", "task", "client", "weight", "loss", "control", "have")
