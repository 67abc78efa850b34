"""What a device, or its maker, may do with five examples of a class that a model does not know."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import nn

import selvedge as sv
from benchmarks.live.habits import habits
from selvedge.learn.draws import Draws
from selvedge.learn.memory.replay import Replay
from selvedge.learn.metrics import predictions
from selvedge.run.ports import NotFinite

from .newcomers import FEW, KINDS, TEACHING, Kind, Newcomer

Array = npt.NDArray[Any]
WAYS = ("frozen", "enrolled", "naive", "prototypes", "retrained")
SPARE = 2  # outputs that the model has beyond the classes that it knows
BATCH, RATE = 32, 3e-3  # with which the model is made
STEP = FEW  # samples of a step on the device: naive fine-tuning takes all examples at once
MARGIN = 0.01


@dataclass(frozen=True, slots=True)
class Outcome:
    """How many of the newcomer's ``new`` samples are told, and which of the known classes' ``tests`` are right.
    ``figures``: bytes, and what the learner said of it."""

    way: str
    new: int
    others: Array
    figures: Mapping[str, Any] = field(default_factory=dict)


def ways(name: str, fold: int, seed: int) -> Iterator[Outcome]:
    """Every one of :data:`WAYS`, of the same model, with the same examples."""
    kind = KINDS[name]
    newcomer = kind.newcomer(fold, seed)
    x, y = newcomer.train
    model = made(name, fold, seed)
    shipped = sv.compile(_plan(kind, model, "full"))
    yield _asked("frozen", shipped, newcomer)
    yield _enrolled(kind, model, newcomer, seed)
    yield _naive(shipped, newcomer)
    yield _prototypes(kind, model, newcomer)
    share = len(y) // (newcomer.known * FEW)  # as many of the newcomer as of another class are drawn
    both = np.concatenate([x, *([newcomer.few] * share)])
    labels = np.concatenate([y, np.full(share * FEW, newcomer.known, np.int32)])
    yield _asked(
        "retrained", sv.compile(_plan(kind, trained(kind, newcomer.known, both, labels, seed), "full")), newcomer
    )


@lru_cache(maxsize=1)
def _of_seed(name: str, seed: int) -> nn.Sequential:
    kind = KINDS[name]
    newcomer = kind.newcomer(0, seed)
    return trained(kind, newcomer.known, *newcomer.train, seed)


def made(name: str, fold: int, seed: int) -> nn.Sequential:
    """The model that is shipped; of characters it is the same in all folds of a seed."""
    if name == "character":
        return _of_seed(name, seed)
    newcomer = KINDS[name].newcomer(fold, seed)
    return trained(KINDS[name], newcomer.known, *newcomer.train, seed)


def trained(kind: Kind, known: int, x: Array, y: Array, seed: int) -> nn.Sequential:
    """The kind's network of ``known`` and :data:`SPARE` outputs, made of ``x`` and ``y`` in PyTorch."""
    torch.manual_seed(seed)
    model, draw, draws = kind.make(known + SPARE), np.random.default_rng([36, seed]), Draws(seed)
    adam = torch.optim.AdamW(model.parameters(), RATE, weight_decay=1e-2)
    falling = torch.optim.lr_scheduler.CosineAnnealingLR(adam, kind.train)
    for _ in range(kind.train):
        rows = draw.integers(len(x), size=BATCH)
        loss = F.cross_entropy(model(torch.from_numpy(kind.augment(x[rows], draws))), torch.from_numpy(y[rows]).long())
        adam.zero_grad()
        torch.autograd.backward(loss)
        adam.step()
        falling.step()
    return model.eval()


def _plan(kind: Kind, model: nn.Module, update: str, device: str | None = None) -> sv.Plan:
    """device: None for what no device has to hold."""
    example, sgd = torch.zeros(STEP, *kind.shape), sv.SGD(habits("enrolment")["rate"])
    return sv.plan(model, example, device=device, optimizer=sgd, update=update, norms="folded")


def _asked(way: str, session: Any, newcomer: Newcomer, **figures: Any) -> Outcome:
    x, y = newcomer.test
    new = int((predictions(session, newcomer.asked).argmax(1) == newcomer.known).sum())
    return Outcome(way, new, predictions(session, x).argmax(1) == y, figures)


def _enrolled(kind: Kind, model: nn.Module, newcomer: Newcomer, seed: int) -> Outcome:
    """By the learner; afterwards it is undone, and compared with what it was."""
    own, plan = habits("enrolment"), _plan(kind, model, "last:1", kind.device)
    memory = Replay(own["memory"], kind.shape, np.float32, classes=newcomer.known + SPARE, codec="int8", seed=seed)
    both = [np.concatenate([a[:TEACHING], b]) for a, b in zip(newcomer.train, newcomer.judges, strict=True)]
    learner = sv.Learner(
        sv.compile(plan),
        memory=memory,
        anchor=sv.Anchor(*both, margin=MARGIN, judging=len(newcomer.judges[1])),
        habits=sv.Habits(rate=own["rate"]),
        augment=kind.augment if own["augment"] else None,
        labels=[str(number) for number in range(newcomer.known)],
        diary_bytes=512,
        seed=seed,
    )
    before = _state(learner)
    accepted = learner.enrol("new", newcomer.few, steps=own["steps"])
    told = _asked("enrolled", learner.session, newcomer)
    why = "" if accepted else list(learner.diary)[-1].why
    if accepted:
        changed = _state(learner) != before
        learner.undo()
        assert changed, "an enrolment that changes nothing"
    undone = _state(learner) == before
    ram, flash = learner.bytes.ram, learner.bytes.flash
    figures = {
        "accepted": accepted, "why": why, "undone": undone, "ram": sum(ram.values()), "arena": plan.arena_bytes,
        "flash": sum(flash.values()), "parts": dict(ram),
    }  # fmt: skip
    return Outcome("enrolled", told.new, told.others, figures)


def _state(learner: sv.Learner) -> list[tuple[str, bytes]]:
    """Weights, memory and names of classes, to the bit."""
    assert learner.labels is not None
    arrays = {**learner.session.snapshot(), **learner.memory.state_dict(), **learner.labels.state_dict()}
    return [(name, array.tobytes()) for name, array in sorted(arrays.items())]


def _naive(session: Any, newcomer: Newcomer) -> Outcome:
    """The whole network learns the five examples, and nothing else, in steps of SGD; until it breaks, if it does."""
    own = habits("enrolment")
    y = np.full(STEP, newcomer.known, np.int32)
    try:
        for _ in range(own["naive_steps"]):
            session.step(newcomer.few, y, lr=own["naive_rate"])
    except NotFinite:
        return Outcome("naive", 0, np.zeros(len(newcomer.test[1]), bool), {"broke": True})
    return _asked("naive", session, newcomer, updates=own["naive_steps"])


def _prototypes(kind: Kind, model: nn.Sequential, newcomer: Newcomer) -> Outcome:
    """Whoever's mean latent is nearest: of the known classes, from all that made the model; of the new one, of five."""
    session = sv.compile(sv.plan_inference(model[0], torch.zeros(STEP, *kind.shape)))

    def latents(x: Array) -> Array:
        filled = np.concatenate([x, np.repeat(x[-1:], -len(x) % STEP, axis=0)])
        found = np.concatenate([session.predict(filled[i : i + STEP]) for i in range(0, len(filled), STEP)])[: len(x)]
        return np.asarray(found / np.linalg.norm(found, axis=1, keepdims=True))

    x, y = newcomer.train
    known = latents(x)
    means = np.stack([*(known[y == k].mean(0) for k in range(newcomer.known)), latents(newcomer.few).mean(0)])

    def nearest(x: Array, prototypes: Array) -> Array:
        return np.asarray(((latents(x)[:, None] - prototypes) ** 2).sum(2).argmin(1))

    new = int((nearest(newcomer.asked, means) == newcomer.known).sum())
    x, y = newcomer.test
    alone = int((nearest(x, means[:-1]) == y).sum())
    return Outcome("prototypes", new, nearest(x, means) == y, {"alone": alone, "flash": means.nbytes})
