"""A server that lies, as devices meet it: messages that its key signs, to whom it likes, of what it likes."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Collection, Mapping
from typing import Any

import numpy as np

from selvedge.federate.client.masking import Masking
from selvedge.federate.client.participant import Participant
from selvedge.federate.client.store import InMemory, Store
from selvedge.federate.client.trainer import Trained
from selvedge.federate.codec.masked import Maskable, Told
from selvedge.federate.local import Local
from selvedge.federate.masking.demands import Demands
from selvedge.federate.masking.group import Group
from selvedge.federate.masking.learnt import learnt
from selvedge.federate.masking.terms import STAGES, Terms
from selvedge.federate.masking.threshold import majority
from selvedge.federate.message import Message, made

from .toward import LAYOUT, SERVER, Toward, key, name, publics

RUN = "tried/1"
STEP = 2.0**-10
ZEROS = np.zeros(LAYOUT.size, np.float32)
DEAD = np.full(LAYOUT.size, 1000.0, np.float32)  # a model of which nobody learns anything
LOCAL = Local(rate=0.1)


class Samples(Toward):
    """A change of whole steps, so that it can be told to the last bit; none, of a model that is dead."""

    def train(self, start: Any, local: dict[str, Any], task: int, control: Any, own: Any) -> Trained:
        found = super().train(start, local, task, control, own)
        end = start if start[0] >= DEAD[0] else np.round(found.vector / STEP) * STEP
        return Trained(np.asarray(end, np.float32), found.weight, found.loss)


def samples(i: int) -> Samples:
    return Samples(2 + 0.5 * np.random.default_rng([5, i]).normal(size=LAYOUT.size))


def participant(
    i: int, count: int, store: Store | None = None, trainer: Any = None, demands: Demands | None = None, **more: Any
) -> Participant:
    masking = Masking.among(publics(count), demands)
    kept = InMemory() if store is None else store
    return Participant(name(i), key(i), SERVER.public, trainer or samples(i), kept, i, masking, **more)


class Server:
    """``devices``: all there are, by number. ``why``: of each refusal, by who said it."""

    def __init__(self, devices: Mapping[int, Participant]) -> None:
        self.devices = dict(devices)
        self.why: dict[int, str] = {}
        self.said: list[Message] = []

    def terms(self, cohort: Collection[int], task: int, model: Any = ZEROS, seed: int = 0, run: str = RUN) -> Terms:
        codec = Maskable(LAYOUT.size, 0.5, 16, STEP, seed)
        digest = hashlib.sha256(model.astype("<f4").tobytes()).hexdigest()
        members = tuple(sorted(map(name, cohort)))
        said = f"{codec} {learnt(LOCAL, 0)}"
        return Terms(run, task, 0, members, majority(len(members)), codec.size, codec.bits, digest, said, 2, 3)

    def round(
        self, cohort: Collection[int], task: int, model: Any = ZEROS, seed: int = 0, run: str = RUN,
        lost: Mapping[str, Collection[int]] | None = None, head: Callable[[int], dict[str, Any]] = lambda i: {},
        sent: Callable[[int], Any] | None = None,
    ) -> Group:  # fmt: skip
        """To its end. lost: at which stage whose answer is not there. head: of a device, what its task says else; sent:
        the model that it is sent, where that is not the one that the terms name."""
        terms = self.terms(cohort, task, model, seed, run)
        group, gone = Group(terms, publics(max(self.devices) + 1)), set[int]()
        for stage in STAGES:
            gone |= set((lost or {}).get(stage, ()))
            for i in sorted(set(cohort) - gone):
                if group.stage == stage and name(i) in group.waiting:
                    answer = self.ask(i, terms, stage, group.ask(name(i)), sent(i) if sent else model, head(i))
                    if answer is None or answer.kind == "refusal":
                        self.why[i] = "" if answer is None else answer.head["why"]
                        gone.add(i)
                    else:
                        self.said.append(answer)
                        group.put(name(i), answer.body)
            group.advance()
        return group

    def ask(
        self, i: int, terms: Terms, stage: str, ask: bytes, model: Any = ZEROS, other: Mapping[str, Any] | None = None
    ) -> Message | None:
        head = {"run": terms.run, "task": terms.task, "client": name(i), "stage": stage}
        if stage == "input":
            head |= {
                "version": 0, "base": -1, "layout": LAYOUT.digest, "window": 0, "down": "float32", "difference": False,
                "model_seed": 0, "local": {"epochs": 1, "rate": 0.1, "mu": 0.0, "scaffold": False},
                "ask": base64.b64encode(ask).decode(), **(other or {}),
            }  # fmt: skip
            sent = made("learn", head, model.astype("<f4").tobytes(), SERVER)
        else:
            sent = made("ask", head, terms.to_json().encode() if stage == "keys" else ask, SERVER)
        return self.devices[i].handle(sent.packed())


def told(group: Group) -> tuple[Maskable, Told]:
    codec = Maskable.of(group.terms.codec.partition(" ")[0], LAYOUT.size)
    return codec, codec.decode(group.total()[0])


def summed(group: Group) -> Any:
    """float64 [size]: what the sum says of each element; NaN where it says nothing."""
    codec, found = told(group)
    whole = np.full(LAYOUT.size, np.nan)
    whole[codec.places] = found.values * codec.step
    return whole
