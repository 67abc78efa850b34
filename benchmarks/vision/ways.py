"""What a device may do while the weather changes, and what each way makes of the same model and the same stream."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

import selvedge as sv
from selvedge.learn.metrics import predictions
from selvedge.learn.stream.sample import Sample
from selvedge.run.ports import NotFinite

from . import nets
from .moved import moved

Array = npt.NDArray[Any]
WAYS = ("dummy", "frozen", "naive", "last layer", "learner", "retrained")
SCALE = sv.Preprocess(scale=(1 / 255,), offset=(0.0,))


@dataclass(frozen=True, slots=True)
class World:
    """A stream uint8 [n, c, h, w] with classes; the test pictures as they are seen at the end of each turn, and clean;
    what makes the model, as the camera saw it on a clear day; and ``judges``, which only the learner has."""

    train: tuple[Array, Array]
    judges: tuple[Array, Array]
    stream: tuple[Array, Array]
    asked: Sequence[Array]
    clean: Array
    truth: Array
    classes: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """``right``: bool, of each picture of the stream before it was learnt; None where a way has no before. ``held``:
    how often it was right of the test pictures, at the end of each turn; ``clean``: at last, of the clean ones."""

    way: str
    right: Array | None
    held: Sequence[float]
    clean: float
    figures: Mapping[str, Any] = field(default_factory=dict)


def ways(
    model: nn.Module, world: World, own: Mapping[str, Any], seed: int, chosen: Sequence[str] = WAYS,
    updates: int = nets.UPDATES,
) -> Iterator[Outcome]:  # fmt: skip
    """Every one of ``chosen``. own: hyper-parameters."""
    x, y = world.stream
    if "dummy" in chosen:
        common = int(np.bincount(y, minlength=world.classes).argmax())
        each = float((world.truth == common).mean())
        yield Outcome("dummy", y == common, [each] * len(world.asked), each)
    if "frozen" in chosen:
        yield _whole(model, world, "frozen", y == nets.answers(model, x))
    if "naive" in chosen:
        yield _naive(model, world, own)
    for way, update in (("last layer", "last:1"), ("learner", own["update"])):
        if way in chosen:
            yield _held(model, world, own, way, update, seed)
    if "retrained" in chosen:
        again = nets.trained([world.train, world.stream], world.classes, seed, updates)
        yield _whole(again, world, "retrained", None)


def _whole(model: nn.Module, world: World, way: str, right: Array | None) -> Outcome:
    """Of a model that stays as it is."""
    held = [float((nets.answers(model, x) == world.truth).mean()) for x in world.asked]
    return Outcome(way, right, held, float((nets.answers(model, world.clean) == world.truth).mean()))


def _planned(model: nn.Module, world: World, update: str, rate: float, batch: int) -> sv.Plan:
    example = torch.zeros(batch, *world.clean.shape[1:])
    return sv.plan(
        model, example, device="stm32h743", optimizer=sv.SGD(rate), update=update, norms="folded", preprocess=SCALE,
    )  # fmt: skip


def _along(
    world: World, session: sv.Session, answer: Callable[[Array], int], learn: Callable[[int, Array, int], None]
) -> tuple[Array, list[float], float]:
    """One pass: every picture is asked for, then learnt; at the end of each turn the test pictures are."""
    x, y = world.stream
    right, held = np.zeros(len(y), bool), []
    ends = [round(len(y) * (turn + 1) / len(world.asked)) for turn in range(len(world.asked))]
    for i, (picture, label) in enumerate(zip(x, y, strict=True)):
        right[i] = answer(picture) == label
        learn(i, picture, int(label))
        for end, asked in zip(ends, world.asked, strict=True):
            if end == i + 1:
                held.append(_right(session, asked, world.truth))
    return right, held, _right(session, world.clean, world.truth)


def _right(session: sv.Session, x: Array, truth: Array) -> float:
    return float((predictions(session, x).argmax(1) == truth).mean())


def _naive(model: nn.Module, world: World, own: Mapping[str, Any]) -> Outcome:
    """Every picture a step, as it comes; until the weights are broken, if they are."""
    plan = _planned(model, world, "full", own["naive_rate"], 1)
    session, broken = sv.compile(plan), False

    def learn(_: int, x: Array, y: int) -> None:
        nonlocal broken
        if not broken:
            try:
                session.step(x[None], np.array([y], np.int32))
            except NotFinite:
                broken = True

    found = _along(world, session, lambda x: int(predictions(session, x[None])[0].argmax()), learn)
    return Outcome("naive", *found, {"ram": {"arena": session.arena_bytes}, "broken": broken})


def _held(model: nn.Module, world: World, own: Mapping[str, Any], way: str, update: str, seed: int) -> Outcome:
    """Selvedge's learner, which has ``update`` to learn, on a stream."""
    session = sv.compile(_planned(model, world, update, own["rate"], own["batch"]))
    shape = world.clean.shape[1:]
    taught, told = world.train[0][: own["teaching"]], world.train[1][: own["teaching"]]
    x, y = world.judges
    learner = sv.Learner(
        session,
        memory=sv.Replay(own["memory"], shape, np.uint8, classes=world.classes, codec=own["codec"], seed=seed),
        anchor=sv.Anchor(
            np.concatenate([taught, x]), np.concatenate([told, y]), margin=_margin(own, len(y)), judging=len(y)
        ),
        habits=sv.Habits(**{n: tuple(v) if isinstance(v, list) else v for n, v in own["habits"].items()}),
        detectors={"error": sv.ADWIN()},
        augment=moved,
        budget=own["budget"],
        seed=seed,
    )
    live = sv.Live(learner)
    began = time.process_time()

    def learn(number: int, picture: Array, label: int) -> None:
        live.feed(Sample(number, float(number), picture, label))
        assert sum(live.bytes.values()) <= own["budget"], live.bytes

    found = _along(world, session, lambda x: live.predict(x).label, learn)
    tally = learner.tally
    figures = {
        "ram": live.bytes, "flash": dict(learner.bytes.flash), "commits": tally.commits,
        "steps": tally.steps, "diary": learner.diary.counts, "remembered": len(learner.memory),
        "seconds": round(time.process_time() - began, 1),
    }  # fmt: skip
    return Outcome(way, *found, figures)


def _margin(own: Mapping[str, Any], judges: int) -> float:
    """What so few judges can tell: a margin that shrinks as their standard error does."""
    return float(max(own["margin"], own["margin_of_one"] / np.sqrt(judges)))
