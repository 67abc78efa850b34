"""A few samples of one person, learnt at once where learning helps on those that are left out."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from ..errors import InvalidInput
from ..run.calls import NotFinite
from ..run.session import Session
from .draws import Draws
from .guard.anchor import Anchor, Loss, lost
from .guard.flips import p_value
from .guard.spike import Spike
from .guard.verdict import fairly, gains, merit
from .lesson import Augment, Lessons, Memory
from .metrics import each_loss, predictions

Array = npt.NDArray[Any]


@dataclass(frozen=True, slots=True)
class Personalised:
    """``learnt``: whether the session has now learnt the samples; else it is bit for bit what it was.

    why: a line. gain: what learning the others brought a left-out sample, in halves of the Brier score; p: the chance
    of such a gain without one. lost: of the merit on the anchor. steps: updates made in all, seconds apart.
    """

    learnt: bool
    why: str
    gain: float
    p: float
    lost: Loss | None
    steps: int


def personalise(
    session: Session,
    memory: Memory,
    *,
    steps: int,
    rate: float | None = None,
    anchor: Anchor | None = None,
    share: float = 0.3,
    augment: Augment | None = None,
    folds: int = 5,
    ask: Literal["better", "no worse"] = "no worse",
    error: float = 0.05,
    seed: int = 0,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> Personalised:
    """Learn what is in ``memory``, classes or reconstruction, in ``steps`` updates; or do not.

    First ``folds`` times all but a part of it is learnt, from the same weights, and that part judged. Where that is
    better - as ``ask`` says: more surely than ``error``, or on the mean, of labels that a person gave - all of it is
    learnt. Where the anchor then has lost more than its margin, that is taken back. Nothing is copied meanwhile: the
    weights to go back to are those that the session began with, in flash, so that it needs no RAM but the arena, the
    memory and a few bytes; it must not have learnt before. rate: the largest, of a warm-up and a cosine; None: as the
    plan's schedule begins. share: of a batch, from the anchor.

    Raises ``InvalidInput`` for a session that has learnt, fewer than two samples a fold, and settings that cannot be.
    """
    manifest, kind, draws = session.manifest, str(session.manifest.loss), Draws(seed)
    labelled = "y" in manifest.programs["evaluate"].inputs
    if labelled and kind != "CrossEntropy":
        raise InvalidInput("loss", kind, "cross_entropy can be personalised, or reconstruction without labels")
    if session.steps != manifest.steps:
        raise InvalidInput("session", f"after {session.steps} steps", "give one that has not learnt yet")
    if steps < 1:
        raise InvalidInput("steps", steps, "give a whole number >= 1")
    x, y = memory.all()
    if folds < 2 or len(x) < 2 * folds:
        raise InvalidInput("folds", folds, f"{len(x)} samples are remembered: give 2 to {len(x) // 2}")
    if ask not in ("better", "no worse"):
        raise InvalidInput("ask", ask, "give better or no worse")
    start = session.snapshot(), session.steps  # what lies in flash anyhow
    lessons = Lessons((1 - share, 0.0, share), memory, anchor, augment, draws)
    target = y if labelled else _numbers(session, x)
    outputs = predictions(session, x)
    known = fairly(kind, outputs, target)
    usual = max(math.log(manifest.classes) if labelled else 0.0, float(each_loss(kind, outputs, target).mean()))
    base = manifest.schedule.lr(session.steps) if rate is None else rate
    total = steps + sum(_share(steps, len(x), folds, fold) for fold in range(folds))
    done = 0

    def learn(count: int, rows: Array) -> bool:
        nonlocal done
        spike = Spike()
        for i in range(count):
            batch, labels = lessons.batch(manifest.step_batch, x[rows], y[rows], remembered=False)
            try:
                loss = session.step(batch, labels if labelled else None, lr=base * cosine(i, count))
            except NotFinite:
                return False
            done += 1
            on_progress(done, total)
            if spike.update(loss, usual):
                return False
        return True

    def back(why: str, gain: float = 0.0, p: float = 1.0, loss: Loss | None = None) -> Personalised:
        session.restore(*start)
        return Personalised(False, why, gain, p, loss, done)

    part = lessons.order(len(x)) % folds
    said = np.array(outputs)
    try:
        for fold in range(folds):
            own = part == fold
            if not learn(_share(steps, len(x), folds, fold), np.flatnonzero(~own)):
                return back("the loss leapt: lower the rate")
            said[own] = predictions(session, x[own])
            session.restore(*start)
        found = gains(kind, fairly(kind, said, target), known)
        gain, p = float(found.mean()), p_value(found, error, draws)
        told = f"{gain:+.3f} on samples that were left out (p = {p:.2g})"
        if p > error and (ask == "better" or gain <= 0):
            return back(f"not better: {told}", gain, p)
        before = None if anchor is None else merit(kind, predictions(session, anchor.judges[0]), _aim(session, anchor))
        if not learn(steps, np.arange(len(x))):
            return back("the loss leapt: lower the rate", gain, p)
        if anchor is None or before is None:
            return Personalised(True, f"better: {told}", gain, p, None, done)
        after = merit(kind, predictions(session, anchor.judges[0]), _aim(session, anchor))
        loss = lost(gains(kind, after, before), error)
        if loss.upper > anchor.margin:
            why = f"up to {loss.upper:.1%} may be lost on the anchor (seen: {loss.mean:+.1%})"
            return back(f"{why}: {anchor.margin:.1%} is allowed", gain, p, loss)
        return Personalised(True, f"better: {told}", gain, p, loss, done)
    except BaseException:  # Ctrl-C too
        session.restore(*start)
        raise


def cosine(i: int, count: int, warm: float = 0.05) -> float:
    """What the rate is multiplied by at update ``i`` of ``count``: up to 1 over the share ``warm``, then half a cosine
    down to 0 (Loshchilov & Hutter, *SGDR*, arXiv:1608.03983)."""
    up = max(1.0, warm * count)
    return (i + 1) / up if i + 1 < up else 0.5 * (1 + math.cos(math.pi * (i - up + 1) / max(1.0, count - up)))


def _share(steps: int, count: int, folds: int, fold: int) -> int:
    """Updates of one fold: as many for each sample as all have."""
    return max(1, steps * (count - len(range(fold, count, folds))) // count)


def _aim(session: Session, anchor: Anchor) -> Array:
    x, y = anchor.judges
    return _numbers(session, x) if y is None else y


def _numbers(session: Session, x: Array) -> Array:
    """What a reconstruction is measured against."""
    preprocess = session.manifest.preprocess
    return preprocess(x) if preprocess is not None and x.dtype == np.uint8 else x
