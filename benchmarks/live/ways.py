"""What a device may do with a person's own samples, and what each way makes of the same model."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import nn

import selvedge as sv
from selvedge.learn.draws import Draws
from selvedge.learn.guard.anchor import Anchor
from selvedge.learn.memory.replay import Replay
from selvedge.learn.metrics import predictions
from selvedge.learn.personal import personalise
from selvedge.run.ports import NotFinite

from .habits import habits
from .people import Person, Recipe

Array = npt.NDArray[Any]
WAYS = ("dummy", "frozen", "naive", "last layer", "whole", "retrained")
LIGHT = sv.Trade(int8_activations=True, least=True)


@dataclass(frozen=True, slots=True)
class Outcome:
    """``right``: of each test sample. ``figures``: bytes, updates, and what the learner said of it."""

    way: str
    right: Array
    figures: Mapping[str, Any] = field(default_factory=dict)


def ways(recipe: Recipe, person: Person, seed: int) -> Iterator[Outcome]:
    """Every one of :data:`WAYS`, of the same model."""
    x, y = person.test
    yield Outcome("dummy", y == np.bincount(person.own[1]).argmax())
    model = trained(recipe, *person.others, seed)
    yield Outcome("frozen", _asked(model, person))
    own = habits(f"personal.{recipe.name}")
    plans = {update: _plan(recipe, model, update, own) for update in ("full", "last:1")}
    for way, update in (("naive", "full"), ("last layer", "last:1"), ("whole", "full")):
        plan = plans[update]
        session = sv.compile(plan)
        figures: dict[str, Any] = {"arena": plan.arena_bytes}
        if way == "naive":
            figures["updates"] = _naively(session, person, own["rate"])
        else:
            figures |= _learnt(session, recipe, person, own, plan.arena_bytes, seed)
        yield Outcome(way, predictions(session, x).argmax(1) == y, figures)
    share = len(person.others[1]) // (10 * len(person.own[1])) or 1  # own samples are a tenth of what is drawn from
    both = [np.concatenate([a, *([b] * share)]) for a, b in zip(person.others, person.own, strict=True)]
    yield Outcome("retrained", _asked(trained(recipe, both[0], both[1], seed), person))


def trained(recipe: Recipe, x: Array, y: Array, seed: int) -> nn.Module:
    """The recipe's network, made of ``x`` and ``y`` in PyTorch."""
    torch.manual_seed(seed)
    model, draw, draws, made = (
        recipe.make(),
        np.random.default_rng([23, seed]),
        Draws(seed),
        habits(f"personal.{recipe.name}.model"),
    )
    adam = torch.optim.AdamW(model.parameters(), weight_decay=made["weight_decay"])
    rates = torch.optim.lr_scheduler.OneCycleLR(adam, made["rate"], made["updates"], pct_start=0.1)
    for _ in range(made["updates"]):
        rows = draw.integers(len(x), size=made["batch"])
        said = model(torch.from_numpy(recipe.augment(x[rows], draws)))
        loss = F.cross_entropy(said, torch.from_numpy(y[rows]).long())
        adam.zero_grad()
        loss.backward()
        adam.step()
        rates.step()
    return model.eval()


def _asked(model: nn.Module, person: Person) -> Array:
    x, y = person.test
    with torch.no_grad():
        return np.asarray(model(torch.from_numpy(x)).argmax(1).numpy() == y)


def _plan(recipe: Recipe, model: nn.Module, update: str, own: Mapping[str, Any]) -> sv.Plan:
    example, sgd = torch.zeros(1, *recipe.shape), sv.SGD(own["rate"], clip_value=own["clip_value"])
    return sv.plan(model, example, device=recipe.device, optimizer=sgd, update=update, norms="folded", trade=LIGHT)


def _naively(session: sv.Session, person: Person, rate: float) -> int:
    """Every sample a step, as it comes; until the weights are broken, if they are."""
    for done, (x, y) in enumerate(zip(*person.own, strict=True)):
        try:
            session.step(x[None], y[None], lr=rate)
        except NotFinite:
            return done
    return len(person.own[1])


def _learnt(
    session: sv.Session, recipe: Recipe, person: Person, own: Mapping[str, Any], arena: int, seed: int
) -> dict[str, Any]:
    x, y = person.own
    memory = _remembering(recipe, len(y), session.manifest.classes, seed)
    for sample, label in zip(x, y, strict=True):
        memory.add(sample, int(label))
    assert len(memory) == len(y)
    anchor = Anchor(*person.anchor, margin=1.0)  # of others nothing is promised here: they are learnt from
    found = personalise(
        session, memory, steps=own["steps"] * len(y), rate=own["rate"], anchor=anchor, share=own["share"],
        augment=recipe.varied, folds=own["folds"], seed=seed,
    )  # fmt: skip
    assert found.lost is not None or not found.learnt
    if recipe.budget is not None:
        assert arena + memory.bytes <= recipe.budget, f"{arena} B of arena and {memory.bytes} B of memory"
    return {
        "memory": memory.bytes, "updates": found.steps, "learnt": found.learnt, "why": found.why, "p": found.p,
        "others": None if found.lost is None else found.lost.mean,
    }  # fmt: skip


def _remembering(recipe: Recipe, samples: int, classes: int, seed: int) -> Replay:
    """The smallest memory that holds so many of the recipe's samples."""

    def of(size: int) -> Replay:
        return Replay(size, recipe.shape, np.float32, classes=classes, codec=recipe.codec, seed=seed)

    most = samples * (int(np.prod(recipe.shape)) * 4 + 8) + 256
    least = bisect_left(range(most), samples, lo=most // (40 * samples) + 128, key=lambda size: of(size).capacity)
    return of(least)
