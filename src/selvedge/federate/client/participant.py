"""A device in a run: a task in, an update out; the same task again, the same update again."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Mapping
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
from .store import PERSONAL, VOLATILE, Store
from .trainer import CannotTrain, Trained, Trainer, Withheld

if TYPE_CHECKING:
    from ..codec.masked import IntVector
    from ..masking.terms import Terms
    from .masking import Asked, Masking

DIGITS = 4  # of a loss: what is worth sending
ROOM = 1 << 16  # bytes of a task besides the model
CONTROL = 4  # bytes of an element of the server's control variate
SINCE = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)  # a machine that sleeps gets older, too


def awake_or_not() -> float:
    """Seconds since the machine began."""
    return time.clock_gettime(SINCE)


class Participant:
    """``name``, ``key``: who this is. ``server``: the server's public key. What must outlive a crash is in ``store``:
    what error feedback has left, the control variate, the model of the version it has, its last answer, and the layers
    that stay here as they were behind it: one record, written at once.

    A device crashes at any moment: an answer is stored before it is sent, and sent again when it is asked again.

    masking: how it takes part where the server learns sums alone; a task that asks for its change by itself is then
    refused. None: in runs that are not masked. log: is told what is said to nobody else. clock: seconds, of the
    machine since it began.
    """

    def __init__(
        self, name: str, key: Signer, server: bytes, trainer: Trainer, store: Store, seed: int = 0,
        masking: Masking | None = None, log: Callable[[str], None] = lambda line: None,
        clock: Callable[[], float] = awake_or_not,
    ) -> None:  # fmt: skip
        self.name, self._key, self._server, self._masking = name, key, server, masking
        self._log, self._clock = log, clock
        self._looked = False
        self._since: float | None = None  # once it has looked: when the round began whose secrets are in the store
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
            about = {"run": head["run"], "task": head["task"], "client": self.name}
            of = error.of if isinstance(error, Refused) else ""
            return made("refusal", {**about, "why": str(error)[:200], "of": of}, b"", self._key)

    def rest(self, over: bool = False) -> None:
        """Delete the secrets of a masked round that has taken too long; over: of any, for the run has ended."""
        if self._masking is None:
            return
        if not self._looked:
            kept = self._store.load()
            self._since = None if kept is None or VOLATILE not in kept[0] else kept[0][VOLATILE]["since"]
            self._looked = True
        if self._since is not None and (over or self._is_old(self._since)):
            kept = self._store.load()
            if kept is not None:
                self._store.save({n: v for n, v in kept[0].items() if n != VOLATILE}, kept[1])
            self._since = None

    def _is_old(self, since: float) -> bool:
        assert self._masking is not None
        return not 0 <= self._clock() - since < self._masking.lasts

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
        from ..masking.learnt import window  # a device of other runs is to have the memory
        from .masking import Stages, asked_of

        head, kept = message.head, self._store.load()
        # Of another run, what it was asked for last is kept, so that nothing is answered twice; what was left is not.
        same = kept is not None and kept[0]["run"] == head["run"]
        before, arrays = ({}, {}) if kept is None else (dict(kept[0]), dict(kept[1]))
        if not same and before.get("masked") is not None and not self._masking.demands.run:
            raise CannotTrain(f"a round of {head['run']} where {before['run']} was joined")
        if not same:
            before = {"run": head["run"], "task": -1, "window": 0, "have": -1, "masked": before.get("masked")}
            arrays = {n: a for n, a in arrays.items() if n.startswith(PERSONAL)}
        asked = asked_of(message)
        volatile = before.pop(VOLATILE, None)
        if volatile is not None and self._is_old(volatile["since"]):
            volatile = None
        stages = Stages(self._masking, self.name, self._key, before.get("masked"), volatile)
        if same and stages.is_over(asked):
            return None
        if same and stages.is_answered(asked):
            return self._said(asked, before["have"], arrays["said"].tobytes())
        terms = stages.terms(asked)
        values, learnt = None, (before, arrays)
        if asked.stage == "input":
            values, learnt = self._masked(
                head, message.body, before if before["task"] >= 0 else {}, arrays, shapes, terms,
                stages.carries(asked, terms),
            )  # fmt: skip
        # What is left is of other elements where the window has moved on.
        past = bytes.fromhex(before.get("past", "")) if before["window"] == window(terms) else b""
        answer = stages.answer(asked, terms, values, past)
        before, arrays = learnt
        arrays["said"] = np.frombuffer(answer, np.uint8)
        since = self._clock() if volatile is None or asked.stage == "keys" else volatile["since"]
        secrets = stages.secrets(since)
        self._looked, self._since = True, since if secrets else None
        self._store.save({**before, "masked": stages.state(asked, terms)} | secrets, arrays)
        return self._said(asked, before["have"], answer)

    def _said(self, asked: Asked, have: int, answer: bytes) -> Message:
        head = {"run": asked.run, "task": asked.task, "client": self.name, "stage": asked.stage}
        return made("said", {**head, "have": have if asked.stage == "input" else -1}, answer, self._key)

    def _masked(
        self, head: Any, body: bytes, before: Any, arrays: dict[str, Vector], shapes: Shapes, terms: Terms,
        carries: bool,
    ) -> tuple[IntVector, tuple[dict[str, Any], dict[str, Any]]]:  # fmt: skip
        """(values, what is to be kept once they are answered with). carries: with what earlier rounds have left.

        Nothing of this is the server's choice for one device alone: the model, the steps and the window are the terms',
        and what is left goes by what this device has sent and by its past. It is spent by being sent: whether it came,
        and whether it counted, a server could say otherwise to each.
        """
        local, layout = Local(**head["local"]), self._trainer.layout
        from ..codec.masked import Maskable
        from ..masking import checks, past
        from ..masking.learnt import learnt

        text, _, asked = terms.codec.partition(" ")
        if learnt(local, head["window"]) != asked:
            raise CannotTrain("other steps than those that this group agreed on")
        noising = None if self._masking is None else self._masking.noising
        up = Maskable.of(text, layout.size) if noising is None else noising.agreed(text, layout.size, terms)
        if (up.size, up.bits) != (terms.size, terms.bits):
            raise CannotTrain("a masked round for values of another number")
        if local.scaffold:
            raise CannotTrain("control variates, in a masked round")
        start = self._start(head, body, before, arrays, shapes)
        checks.model(terms, start.astype("<f4").tobytes())
        have = head["version"] if head["difference"] else -1
        about = {"run": head["run"], "task": head["task"], "window": head["window"], "have": have}
        if noising is not None:  # and nothing is left for later rounds
            assert not isinstance(up, Maskable)
            values, noisy = noising.values(up, self._trainer, start, asdict(local), head["task"], self._log)
            return values, (about, self._beside(head, start, noisy, arrays))
        assert isinstance(up, Maskable)
        whole, loss, found = np.zeros_like(start), 0.0, None
        try:
            found = self._found(start, local, head, None, None)
            whole, loss = found.vector - start, found.loss
        except Withheld:
            raise
        except (ValueError, TypeError, ArithmeticError, LookupError) as error:
            # That it diverged, or has too many samples for so many steps, is of the samples: no change is masked then.
            self._log(f"task {head['task']}: nothing is added to the sum: {error}")
        if carries:
            whole = whole + arrays["left"]
        values, left = up.encode(whole, loss, Draws(self._own, head["task"] << 32))
        kept = {n: a for n, a in arrays.items() if n.startswith(PERSONAL)} | {"left": left}
        if head["difference"]:
            kept["model"] = start
        if found is not None:
            kept |= self._beside(head, start, found, arrays)
        after = past.after(bytes.fromhex(before["past"]) if carries else past.NONE, terms).hex()
        return values, ({**about, "past": after}, kept)

    def _again(self, before: Any, body: bytes) -> Message:
        return made("update", {n: before[n] for n in UPDATE}, body, self._key)

    def _start(self, head: Any, body: bytes, before: Any, arrays: dict[str, Vector], shapes: Shapes) -> Vector:
        """The model to begin with."""
        if head["layout"] != self._trainer.layout.digest:
            raise CannotTrain("a task for another model")
        mine = arrays.get("model") if before and before["have"] == head["base"] else None
        return shown.read(head["base"], body, mine, head["difference"], codec(head["down"]), shapes, head["model_seed"])

    @staticmethod
    def _of_before(head: Any, before: Any, arrays: dict[str, Vector]) -> dict[str, Vector | None]:
        """What is left of earlier changes and the control variate, by name, as the server says what it has used."""
        taken = bool(before) and head["taken"] == before["task"]
        own = {n: arrays.get(f"new.{n}" if taken else n) for n in ("left", "left_control", "control")}
        if before and before["window"] != head["window"]:  # it is of other elements
            own["left"] = None
        return own

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
        start, own = self._start(head, body, before, arrays, shapes), self._of_before(head, before, arrays)
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
