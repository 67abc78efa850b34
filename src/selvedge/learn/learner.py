"""A model that goes on learning from a stream, in so many bytes, and is never worse than it began (docs/adr/0029)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Literal, Protocol, cast

import numpy as np
import numpy.typing as npt

from ..artifact.sound import face
from ..errors import DoesNotFit, InvalidInput
from ..run.calls import NotFinite
from ..run.session import Session
from .copies import Copies, Copy
from .diary import Diary
from .draws import Draws
from .enrolment import Enrolment
from .figures import Bytes, Prediction, Tally
from .guard.anchor import Anchor, lost
from .guard.flips import p_value
from .guard.judge import Judge
from .guard.spike import Spike
from .guard.verdict import gains, knowledge, merit
from .habits import Habits
from .lesson import Augment, Lessons, Memory
from .metrics import CHUNK, each_loss, predictions
from .one_output import OneOutput
from .pending import Pending
from .spare import Labels, Masked

Array = npt.NDArray[Any]
FORWARDS = 3  # predictions that an update of one sample costs: forward, and both gradients
LARGEST = 1e30  # loss of a sample that is counted
ABSURD = 1e3  # nats: logits a thousand apart come of inputs that are no measurement
REFUSALS = 5  # in turn, before a candidate is given up
WATCHED = ("error", "loss", "confidence", "input")


class Detector(Protocol):
    """Of drift: fed with a number a sample."""

    @property
    def drift(self) -> bool: ...

    @property
    def bytes(self) -> int: ...

    def update(self, value: float, /) -> None: ...

    def state_dict(self) -> dict[str, Array]: ...

    def load_state_dict(self, state: dict[str, Array], /) -> None: ...


class Governor(Protocol):
    """Of energy: how many steps may be made now, and what was done. ``energy.meter.Meter`` is one, of a governor and
    the time that it is told."""

    def grant(self, steps: int, /) -> int: ...

    def spend(self, *, steps: int = 0, predictions: int = 0) -> None: ...


@dataclass(slots=True)
class _Now:
    """fresh: samples of the round that is under way. boosted: samples for which there are still twice the steps.
    trained: updates of the candidate; since: samples seen when it began. blend, of ``Habits.blends``: of what is
    judged; grown: of what was committed last."""

    fresh: int = 0
    boosted: int = 0
    trained: int = 0
    since: int = 0
    blend: int = 0
    grown: int = 0


class Learner:
    """Predicts with what is committed, learns in a candidate, and commits it when it is better and nothing was lost.

    >>> # learner = Learner(session, memory=Replay(32 << 10, (1, 28, 28), classes=10), anchor=Anchor(x, y))
    >>> # learner.predict_one(x)         what the committed weights say
    >>> # learner.learn_one(x, y)        remembered now, learnt from at the end of the round
    """

    def __init__(
        self,
        session: Session,
        *,
        memory: Memory,
        anchor: Anchor | None = None,
        held_out: Memory | None = None,
        habits: Habits | None = None,
        detectors: Mapping[str, Detector] | None = None,
        governor: Governor | None = None,
        augment: Augment | None = None,
        labels: Sequence[str] | None = None,
        pending_bytes: int = 0,
        diary_bytes: int = 4096,
        budget: int | None = None,
        seed: int = 0,
    ) -> None:
        """memory: of samples to learn from again, of the dtype in which samples come. held_out: of samples that only
        judge. detectors: by what they watch - "error" (0 or 1; or the loss), "loss", "confidence", "input" (its mean).
        labels: the classes of the first outputs, where others are spare, for :meth:`enrol`. budget: bytes of RAM for
        all of it.

        Raises ``InvalidInput`` for a plan that cannot serve it and for other settings that cannot be, and
        ``DoesNotFit`` above the budget.
        """
        manifest = session.manifest
        self.session, self.memory, self.held_out, self.anchor = session, memory, held_out, anchor
        self.labels = None if labels is None else Labels(labels, manifest.classes)
        if self.labels is not None:
            self.session = cast(Session, Masked(session, self.labels))
        self.habits = habits or Habits()
        self.detectors, self.governor = dict(detectors or {}), governor
        for name in self.detectors:
            if name not in WATCHED:
                raise InvalidInput("detectors", name, f"give some of {', '.join(WATCHED)}")
        self.kind = str(manifest.loss)
        self.labelled = "y" in manifest.programs["evaluate"].inputs
        if self.labelled and self.kind != "CrossEntropy":
            raise InvalidInput("loss", self.kind, "a learner takes cross_entropy, or reconstruction without labels")
        shape = face(manifest.programs["predict"].inputs["x"])[1:]
        if memory.sample_shape != shape:
            raise InvalidInput("memory", f"of samples {list(memory.sample_shape)}", f"the plan takes {list(shape)}")
        self._x = np.zeros((self.habits.every, *shape), memory.dtype)
        self._y = np.zeros(self.habits.every, np.int32)
        self.pending = Pending(pending_bytes, shape, memory.dtype) if pending_bytes else None
        self.diary, self.tally, self._now = Diary(diary_bytes), Tally(), _Now()
        self._require_alike(anchor, held_out)
        self._lessons = Lessons(self.habits.shares, memory, anchor, augment, Draws(seed), manifest.preprocess)
        self._copies, self._spike = Copies(session), Spike()
        self._enrolment = None if self.labels is None else Enrolment(self.labels, self._copies.began, memory)
        self._mark()
        start = np.zeros(0) if anchor is None else self._merit(*anchor.judges)
        self.judge = Judge(self.kind, anchor, start, self.habits.alpha, self.habits.error)
        self._judges = len(start)
        self._first_blend = 0 if anchor is None else len(self.habits.blends) // 2
        self._now.blend = self._now.grown = self._first_blend
        self.asks: str | None = None
        needed = self.bytes
        if budget is not None and needed.total > budget:
            largest = sorted(needed.ram, key=lambda name: -needed.ram[name])[:3]
            parts = ", ".join(f"{name} ({needed.ram[name]:,} B)" for name in largest)
            raise DoesNotFit("RAM of the learner", needed.total, budget, f"make one of these smaller: {parts}")

    # -- predicting -------------------------------------------------------------------------------------------------

    def predict_one(self, x: npt.ArrayLike, *, later: bool = False) -> Prediction:
        """One sample, without the batch axis. later: keep it until its label comes (:meth:`label`).

        Raises ``InvalidInput`` for another shape or dtype, and for NaN or Inf.
        """
        sample = self._sample(x)
        if not _finite(sample):
            raise InvalidInput("sample", "not finite", "give numbers")
        output = predictions(self.session, sample[None])[0]
        if self.governor is not None:
            self.governor.spend(predictions=1)
        return Prediction(output, self._waiting().keep(sample) if later else None)

    def predict_many(self, x: npt.ArrayLike) -> Array:
        """Outputs of samples [n, ...]."""
        many = np.asarray(x)
        if self.governor is not None:
            self.governor.spend(predictions=len(many))
        return predictions(self.session, many)

    # -- learning ---------------------------------------------------------------------------------------------------

    def learn_one(self, x: npt.ArrayLike, y: int | None = None) -> bool:
        """One sample with its label (none where the loss has none); whether it ended a round.

        A sample that is not finite is refused and counted: that is the world, not the caller. Raises
        ``InvalidInput`` for another shape, dtype or label, before anything changes.
        """
        label, sample = self._label(y), self._sample(x)
        if not _finite(sample):
            self.tally.refused += 1
            self.diary.write(self.tally.seen, "refused", "a sample that is not finite")
            return False
        self._x[self._now.fresh], self._y[self._now.fresh] = sample, label
        self._now.fresh += 1
        if self._now.fresh < self.habits.every:
            return False
        self._round()
        return True

    def label(self, ticket: int, y: int) -> bool:
        """The label of a sample that was predicted with ``later=True``; whether it was still there."""
        waiting = self._waiting()
        self._label(y)
        x = waiting.take(ticket)
        if x is None:
            self.tally.late += 1
            return False
        self.learn_one(x, y)
        return True

    def finish(self) -> None:
        """End the round with the samples that are there: at the end of a stream, before a pause."""
        if self._now.fresh:
            self._round()

    def examine(self, folds: int = 5, ask: Literal["better", "no worse"] = "better") -> bool:
        """Commit what was learnt if learning is better on those samples in memory that it has not seen; whether it did.

        For few samples, as of an enrolment, of which one pass shows too little: ``folds`` times what predicts learns
        all but a part of the memory, with as many updates a sample as the candidate had, and is judged on that part.
        The paired gains are tested by flipping their signs; the error is spent as with any other candidate. That the
        parts are learnt from in turn makes it nearly exact, as any cross-validation.

        ask: "no worse" commits where the mean gain is above 0: where a person gave the labels, and so has decided that
        it be learnt; the anchor and what was held out still have their say.

        Raises ``InvalidInput`` unless there are 2 or more samples for each fold.
        """
        self.finish()
        if self._copies.candidate.same(self._copies.grown):
            return False
        if ask not in ("better", "no worse"):
            raise InvalidInput("ask", ask, "give better or no worse")
        x, y = self.memory.all()
        if folds < 2 or len(x) < 2 * folds:
            raise InvalidInput("folds", folds, f"{len(x)} samples are remembered: give 2 to {len(x) // 2}")
        target = y if self.labelled else self._as_seen(x)
        outputs = predictions(self.session, x)
        known, usual = knowledge(self.kind, outputs, target), self._usual(outputs, target)
        updates, part = self._now.trained or self.habits.steps * len(x), self._lessons.order(len(x)) % folds
        ours = np.array(known)
        try:
            for fold in range(folds):
                own = part == fold
                self._copies.deployed.into(self.session)
                if not self._updated(updates * int((~own).sum()) // len(x), x[~own], y[~own], usual, remembered=False):
                    return False
                ours[own] = knowledge(self.kind, _numbers(predictions(self.session, x[own])), target[own])
            found = gains(self.kind, ours, known)
            allowed, p = self.judge.allowed, p_value(found, self.judge.allowed, self._lessons.draws)
            self.judge.again()
            told = f"better by {found.mean():.3f} on {len(x)} samples when they were not learnt from (p = {p:.2g})"
            if p > allowed and (ask == "better" or not found.mean() > 0):
                self.diary.write(self.tally.seen, "refused", f"{told}; {allowed:.2g} is allowed")
                return False
            return self._commit(told, range(len(self.habits.blends)))
        except NotFinite as error:
            self._restart("dropped", str(error).partition(";")[0])
            return False
        finally:
            self._copies.deployed.into(self.session)

    def enrol(self, label: str, examples: npt.ArrayLike, *, steps: int = 400) -> bool:
        """Learn a class that it did not know from a few ``examples`` [n, ...]; whether it now knows it.

        It gets a spare output, and this alone learns, in ``steps`` updates of the examples mixed with the memory and
        the anchor: what is said of the others stays as it was, unless the new one is said instead. Its bias is lowered
        until that befalls no more of the anchor than may be lost. Where more than half of the examples are then known
        and the anchor is kept, it predicts; else all is as it was. What a round had not yet learnt is learnt before;
        a candidate that was not committed is given up.

        Raises ``InvalidInput`` for a learner without ``labels``, a name that is there, and samples that it does not
        take, ``DoesNotFit`` where no output is spare, ``NotSupported`` where the last layer does not learn as floats;
        then nothing has changed.
        """
        kept, x = self.enrollable(label, examples, steps)
        self.finish()
        kept.keep(self._copies.deployed, self.memory)
        number = kept.labels.enter(label)
        y = np.full(len(x), number, np.int32)
        for sample in x:
            self.memory.add(sample, number)
        self._copies.deployed.into(self.session)
        why = self._unknown(x, y, steps)
        if why:
            self._put(kept.taken_back(self.memory))
            self.diary.write(self.tally.seen, "refused", f"{label}, of {len(x)} examples: {why}")
            return False
        self.diary.write(self.tally.seen, "enrolled", f"{label}, of {len(x)} examples, as class {number}")
        return True

    def undo(self) -> None:
        """Take the last enrolment back: weights, memory and classes are bit for bit what they were before it; what was
        learnt since is gone too. Raises ``InvalidInput`` where there is none, or it was taken back."""
        kept = self.undoable()
        self._now.fresh = 0
        self._put(kept.taken_back(self.memory))
        self.diary.write(self.tally.seen, "undone", "the last enrolment")

    def _unknown(self, x: Array, y: Array, steps: int) -> str:
        """Learn a new class, and let it predict; or why not."""
        usual, number = self._usual(predictions(self.session, x), y), int(y[0])
        own = OneOutput(self.session, number, self._copies.deployed)
        try:
            for _ in range(steps):
                if not self._updated(1, x, y, usual):
                    return "it fell apart: lower the rate"
                own.hold()
            if self.anchor is not None:
                own.lower(self._taken(number))
            known = int((predictions(self.session, x).argmax(1) == number).sum())
            why = f"{known} of them are known" if 2 * known <= len(x) else self._lost_at_the_start()
        except NotFinite:
            return "its output is not finite"
        if not why:
            own.finish()
            self._put(Copy.of(self.session))
            self.tally.commits += 1
        return why

    def _taken(self, number: int) -> float:
        """By how much the logit of a new class must be lower to take no more of the anchor's judges than it may."""
        assert self.anchor is not None
        x, y = self.anchor.judges
        logits = predictions(self.session, x)
        own = logits[:, number].copy()
        logits[:, number] = -np.inf
        leads = np.sort((own - logits.max(1))[logits.argmax(1) == y])[::-1]
        most, error, margin = 0, self.habits.error / 10, self.anchor.margin
        while most < len(leads) and lost(np.where(np.arange(len(x)) <= most, -1.0, 0.0), error).upper <= margin:
            most += 1
        return max(0.0, float(np.nextafter(leads[most], np.inf, dtype=leads.dtype))) if most < len(leads) else 0.0

    def _put(self, copy: Copy) -> None:
        """``copy`` predicts, and another candidate begins from it."""
        copies = self._copies
        copies.deployed = copies.candidate = copies.grown = copy
        self._mark()
        self.judge.next()
        self._spike.restart()
        self._now.trained, self._now.since = 0, self.tally.seen
        copy.into(self.session)

    def _mark(self) -> None:
        """What was enrolled is not part of where it began: no blend goes back from it."""
        if self.labels is None:
            return
        marks = OneOutput(self.session, 0, self._copies.deployed).nothing
        for number in self.labels.enrolled:
            for name, where in OneOutput(self.session, number, self._copies.deployed).rows.items():
                marks[name] |= where
        self._copies.marks = marks

    def enrollable(self, label: str, examples: npt.ArrayLike, steps: int) -> tuple[Enrolment, Array]:
        """What :meth:`enrol` works with. Raises as it does."""
        if self._enrolment is None:
            fix = "give the learner labels= of its classes, of a plan with more outputs than that"
            raise InvalidInput("labels", None, fix)
        if steps < 1:
            raise InvalidInput("steps", steps, "give a whole number >= 1")
        given = np.asarray(examples)
        x = np.stack([self._sample(sample) for sample in given]) if given.ndim and len(given) else given
        if not x.ndim or not len(x) or not _finite(x):
            raise InvalidInput("examples", f"{x.dtype}{list(x.shape)}", "give one or more samples, all finite")
        OneOutput(self.session, self._enrolment.labels.spare(label), self._copies.deployed)  # what it cannot, it says
        return self._enrolment, x

    def undoable(self) -> Enrolment:
        """What :meth:`undo` takes back. Raises as it does."""
        if self._enrolment is None or not self._enrolment.held:
            raise InvalidInput("undo", "without an enrolment", "enrol a class first; only the last one can be undone")
        return self._enrolment

    def reset(self) -> None:
        """Back to the weights that it began with, bit for bit; what is remembered stays."""
        self._copies.deployed = self._copies.grown = self._copies.began
        self._now.grown = self._first_blend
        self._restart("reset", "asked for")
        self._copies.deployed.into(self.session)

    # -- a round ----------------------------------------------------------------------------------------------------

    def _round(self) -> None:
        n, now, habits = self._now.fresh, self._now, self.habits
        x, y = self._x[:n].copy(), self._y[:n].copy()
        now.fresh = 0
        x, y, outputs = self._answered(x, y)
        n = len(x)
        if not n:
            return
        target = y if self.labelled else self._as_seen(x)
        served = merit(self.kind, outputs, target)
        self.tally.merit += float(served.sum())
        losses = each_loss(self.kind, outputs, target)
        self.tally.loss += float(np.nan_to_num(losses, nan=LARGEST, posinf=LARGEST).clip(max=LARGEST).sum())
        self._watch(x, outputs, target, served)
        if now.trained and self.tally.seen - now.since >= habits.warm:
            self._settle(x, target, knowledge(self.kind, outputs, target))
        for sample, label in zip(x, y, strict=True):
            self.tally.seen += 1
            judges = habits.hold_out and self.tally.seen % habits.hold_out == 0
            kept = self.held_out if judges and self.held_out is not None else self.memory
            kept.add(sample, int(label))
        self.tally.rounds += 1
        if self.judge.better:
            self._commit(f"better on new samples ({self.judge.wealth} to 1)", (now.blend,))
        asked = n * habits.steps * (2 if now.boosted > 0 else 1)
        now.boosted = max(0, now.boosted - n)
        steps = asked if self.governor is None else self.governor.grant(asked)
        if steps:
            self._copies.candidate.into(self.session)
            self._learn(steps, x, y, self._usual(outputs, target))
        self._copies.deployed.into(self.session)

    def _answered(self, x: Array, y: Array) -> tuple[Array, Array, Array]:
        """Those samples to which what predicts has a sound answer, and the answers. The others, as of 1e30, are refused
        and counted, as those that are not finite themselves: in the memory one of them would spoil every candidate that
        learns from it."""
        try:
            outputs, rows = _numbers(predictions(self.session, x)), np.arange(len(x))
        except NotFinite:
            each = [self._answer(sample) for sample in x]
            rows = np.array([i for i, output in enumerate(each) if output is not None], np.intp)
            answers = [output for output in each if output is not None]
            outputs = np.stack(answers) if answers else np.zeros((0, 1), np.float32)
        if self.labelled and len(rows):
            sound = each_loss(self.kind, outputs, y[rows]) <= ABSURD
            outputs, rows = outputs[sound], rows[sound]
        if len(rows) < len(x):
            self.tally.refused += len(x) - len(rows)
            self.diary.write(self.tally.seen, "refused", f"{len(x) - len(rows)} samples to which no answer is sound")
        return x[rows], y[rows], outputs

    def _answer(self, sample: Array) -> Array | None:
        try:
            return np.asarray(_numbers(predictions(self.session, sample[None]))[0])
        except NotFinite:
            return None

    def _settle(self, x: Array, target: Array, theirs: Array) -> None:
        """What would be committed says what of samples that nobody has learnt from yet, beside what predicts?"""
        if not self.judge.pay(len(x)):
            return
        self._copies.blend(self.habits.blends[self._now.blend]).into(self.session)
        try:
            ours = knowledge(self.kind, _numbers(predictions(self.session, x)), target)
        except NotFinite:
            self._restart("dropped", "its output is not finite")
        else:
            self.judge.settle(ours, theirs)
            if self.judge.evidence.log < math.log(self.habits.drop):
                self._restart("dropped", f"on new samples it is worse than what predicts: {self.judge.wealth} to 1")
        self._copies.deployed.into(self.session)

    def _learn(self, steps: int, x: Array, y: Array, usual: float) -> None:
        """The candidate, which is in the arena, learns."""
        if not self._updated(steps, x, y, usual):
            return
        self._now.trained += steps
        self._copies.candidate = Copy.of(self.session)
        work = steps * self.session.manifest.step_batch * FORWARDS
        self.judge.earn(work * self.habits.shadow, 2.0 * self._cost + 4 * self.habits.every)

    def _updated(self, steps: int, x: Array, y: Array, usual: float, remembered: bool = True) -> bool:
        """``steps`` updates of what is in the arena; where it falls apart, another candidate takes its place."""
        self._spike.restart()
        for _ in range(steps):
            batch, labels = self._lessons.batch(self.session.manifest.step_batch, x, y, remembered)
            try:
                loss = self.session.step(batch, labels if self.labelled else None, lr=self.habits.rate)
            except NotFinite as error:
                self._restart("dropped", f"its loss is {error.loss}")
                return False
            self.tally.steps += 1
            if self.governor is not None:
                self.governor.spend(steps=1)
            if self._spike.update(loss, usual):
                self._restart("dropped", f"its loss leapt to {loss:.3g}, from {usual:.3g}")
                return False
        return True

    def _commit(self, why: str, blends: Sequence[int]) -> bool:
        """Let the candidate predict, by the first of these blends that nothing speaks against; whether it does. What is
        in the arena then is any of them.

        What was judged until then is, either way, not what will be judged: the next one has to show again that it is
        better, than what now predicts.
        """
        now, refused = self._now, ""
        for blend in blends:
            if not self.judge.pay(self._cost):
                break
            refused = self._tried(blend)
            if not refused:
                self.judge.next()
                self.tally.commits += 1
                share = self.habits.blends[blend]
                part = "" if share == 1 else f", {share:.0%} of the way"
                self.diary.write(self.tally.seen, "committed", f"{why}{part}")
                now.grown, now.blend = blend, max(0, blend - self.judge.roomy)
                return True
        if not refused:
            return False
        self.diary.write(self.tally.seen, "refused", refused)
        if self.judge.refused() >= REFUSALS:
            self._restart("dropped", f"refused {REFUSALS} times in turn")
            return False
        now.blend = min(blends[-1] + 1, len(self.habits.blends) - 1)
        self.judge.again()
        return False

    def _tried(self, blend: int) -> str:
        """Commit this blend unless something speaks against it: that, or nothing."""
        made = self._copies.blend(self.habits.blends[blend])
        made.into(self.session)
        try:
            refused = self._lost_at_the_start() or self._lost_since(made)
        except NotFinite:
            return "its output is not finite"
        if not refused:
            self._copies.commit(made)
        return refused

    def _lost_at_the_start(self) -> str:
        """Why the anchor speaks against what is in the arena; or nothing. The judges are asked some at a time, no
        longer than there is hope."""
        if self.anchor is None:
            return ""
        x, y = self.anchor.judges
        merits = np.zeros(0)
        for i in range(0, len(x), CHUNK):
            part = slice(i, i + CHUNK)
            merits = np.concatenate([merits, self._merit(x[part], None if y is None else y[part])])
            against = self.judge.lost_at_the_start(merits)
            if against:
                self.judge.refund(len(x) - len(merits))
                return against
        return ""

    def _lost_since(self, made: Copy) -> str:
        """Why the samples that were held out speak against what is in the arena; or nothing."""
        if self.held_out is None or not len(self.held_out):
            return ""
        x, y = self.held_out.all()
        target = y if self.labelled else self._as_seen(x)
        ours = self._merit(x, target)
        self._copies.deployed.into(self.session)
        worse = -float(gains(self.kind, ours, self._merit(x, target)).mean())
        made.into(self.session)
        return f"on {len(x)} samples that were held out it is worse by {worse:.1%}" if worse > 0 else ""

    # -- what becomes of the candidate --------------------------------------------------------------------------------

    def _restart(self, kind: str, why: str) -> None:
        """Another candidate, from what was committed last."""
        self.diary.write(self.tally.seen, kind, why)
        self._copies.candidate = self._copies.grown
        self.judge.next()
        self._now.trained, self._now.since, self._now.blend = 0, self.tally.seen, self._now.grown

    def _watch(self, x: Array, outputs: Array, target: Array, served: Array) -> None:
        if not self.detectors:
            return
        losses = each_loss(self.kind, outputs, target)
        values = {"loss": losses, "error": 1 - served if self.labelled else losses}
        if "confidence" in self.detectors:
            top = np.exp(outputs - outputs.max(1, keepdims=True))
            values["confidence"] = top.max(1) / top.sum(1)
        if "input" in self.detectors:
            values["input"] = x.reshape(len(x), -1).mean(1, dtype=np.float64)
        for name, detector in self.detectors.items():
            for value in values[name]:
                detector.update(float(value))
                if detector.drift:
                    self._drifted(name)

    def _drifted(self, name: str) -> None:
        self.diary.write(self.tally.seen, "drift", f"in the {name}: {self.habits.drift}")
        if self.habits.drift == "more":
            self._now.boosted = self.habits.boost
        elif self.habits.drift == "reset":
            self.reset()
        elif self.habits.drift == "variant":
            self.asks = f"another variant: the {name} has drifted"

    # -- numbers ----------------------------------------------------------------------------------------------------

    @property
    def bytes(self) -> Bytes:
        """Exactly, and the same from the first day."""
        ram = {
            "arena": self.session.arena_bytes,
            "copies": self._copies.bytes,
            "memory": self.memory.bytes,
            "round": self._x.nbytes + self._y.nbytes,
            "judge": self.judge.bytes + self._spike.bytes,
            "counts": 8 * (len(fields(Tally)) + len(fields(_Now)) + len(("seed", "draws"))),
            "diary": self.diary.bytes,
        }
        if self.held_out is not None:
            ram["held out"] = self.held_out.bytes
        if self.pending is not None:
            ram["pending"] = self.pending.bytes
        if self._enrolment is not None:
            ram["undo"] = self._enrolment.bytes
        if self.detectors:
            ram["detectors"] = sum(d.bytes for d in self.detectors.values())
        flash = {"weights": self.session.manifest.weights_bytes}
        if self.anchor is not None:
            flash["anchor"] = self.anchor.bytes
        return Bytes(ram, flash)

    @property
    def _cost(self) -> int:
        """Predictions that a look takes."""
        return self._judges + 2 * (0 if self.held_out is None else len(self.held_out))

    def _merit(self, x: Array, target: Array | None) -> Array:
        return merit(self.kind, predictions(self.session, x), self._as_seen(x) if target is None else target)

    def _usual(self, outputs: Array, target: Array) -> float:
        """The loss that one has without learning: that of what predicts, or of guessing a class, if that is more."""
        guess = math.log(self.session.manifest.classes) if self.labelled else 0.0
        return max(guess, float(each_loss(self.kind, outputs, target).mean()))

    def _as_seen(self, x: Array) -> Array:
        """What a reconstruction is measured against."""
        preprocess = self.session.manifest.preprocess
        return preprocess(x) if preprocess is not None and x.dtype == np.uint8 else x

    def _sample(self, x: npt.ArrayLike) -> Array:
        sample, mine = np.asarray(x), self._x
        if mine.dtype.kind == "f" and sample.dtype.kind in "fiu":
            sample = sample.astype(mine.dtype)
        if sample.shape != mine.shape[1:] or sample.dtype != mine.dtype:
            wanted = f"{mine.dtype}{list(mine.shape[1:])}"
            raise InvalidInput("sample", f"{sample.dtype}{list(sample.shape)}", f"give {wanted}")
        return sample

    def _label(self, y: int | None) -> int:
        if not self.labelled:
            if y is not None:
                raise InvalidInput("y", y, f"the loss {self.kind} has no target; leave it out")
            return 0
        classes = self.session.manifest.classes
        if y is None or not isinstance(y, int | np.integer) or not 0 <= y < classes:
            raise InvalidInput("y", y, f"give a class, 0..{classes - 1}")
        if self.labels is not None and self.labels.names[int(y)] is None:
            raise InvalidInput("y", y, "this output is spare: enrol a class first")
        return int(y)

    def _require_alike(self, anchor: Anchor | None, held_out: Memory | None) -> None:
        mine, bytes_too = self.memory, self.session.manifest.preprocess is not None
        wanted = f"give {mine.dtype}{list(mine.sample_shape)}, as the memory has"
        if held_out is not None and (held_out.sample_shape, held_out.dtype) != (mine.sample_shape, mine.dtype):
            raise InvalidInput("held_out", f"of {held_out.dtype}{list(held_out.sample_shape)}", wanted)
        if anchor is None:
            return
        same = anchor.x.dtype == mine.dtype or (bytes_too and anchor.x.dtype == np.uint8 and mine.dtype.kind == "f")
        if anchor.x.shape[1:] != mine.sample_shape or not same:
            raise InvalidInput("anchor", f"of {anchor.x.dtype}{list(anchor.x.shape[1:])}", wanted)
        if self.labelled and anchor.y is None:
            raise InvalidInput("anchor y", None, f"the loss {self.kind} has targets: give one for each sample")

    def checked(self, x: npt.ArrayLike, y: int | None = None) -> tuple[Array, int | None]:
        """Both as :meth:`learn_one` would take them; without y, as :meth:`predict_one` would. Raises as they do, and
        nothing changes."""
        return self._sample(x), None if y is None else self._label(y)

    def _waiting(self) -> Pending:
        if self.pending is None:
            raise InvalidInput("pending_bytes", 0, "give the learner bytes to keep samples in until their labels come")
        return self.pending

    # -- keeping ----------------------------------------------------------------------------------------------------

    def state_dict(self) -> dict[str, Array]:
        """Copies of all that it is, by name: another of the same settings that loads them goes on as this one."""
        state = {"fresh/x": self._x.copy(), "fresh/y": self._y.copy(), **self._copies.state_dict()}
        for name, part in self._parts().items():
            state |= {f"{name}/{n}": np.array(a) for n, a in part.state_dict().items()}
        for name, numbers in self._numbers().items():
            state[name] = np.array([getattr(numbers, f.name) for f in fields(numbers)], np.float64)
        state["draws"] = np.array(self._lessons.draws.count)
        return state

    def load_state_dict(self, state: Mapping[str, Array]) -> None:
        """Go on from what :meth:`state_dict` gave. Raises ``InvalidInput``, and changes nothing, for another's."""
        before = self.state_dict()
        if state.keys() != before.keys():
            odd = sorted(state.keys() ^ before.keys())[0]
            raise InvalidInput("learner state", odd, "it is of a learner with other parts: give its own")
        try:
            self._load(state)
        except BaseException:
            self._load(before)
            raise

    def _load(self, state: Mapping[str, Array]) -> None:
        for name, array in {"fresh/x": self._x, "fresh/y": self._y}.items():
            if state[name].shape != array.shape or state[name].dtype != array.dtype:
                raise InvalidInput(
                    f"learner state {name}", f"of {list(state[name].shape)}", f"give {list(array.shape)}"
                )
            array[...] = state[name]
        for name, part in self._parts().items():
            part.load_state_dict({n[len(name) + 1 :]: a for n, a in state.items() if n.startswith(f"{name}/")})
        self._copies.load_state_dict(state, self.session)
        for name, numbers in self._numbers().items():
            if state[name].shape != (len(fields(numbers)),) or not np.isfinite(state[name]).all():
                raise InvalidInput(f"learner state {name}", state[name], "give what state_dict() gave")
            for f, value in zip(fields(numbers), state[name], strict=True):
                setattr(numbers, f.name, type(getattr(numbers, f.name))(value))
        if not max(self._now.blend, self._now.grown) < len(self.habits.blends):
            raise InvalidInput("learner state now", f"of blend {self._now.blend}", "it is of other habits")
        self._lessons.draws.count = int(state["draws"])
        self._mark()
        self._copies.deployed.into(self.session)

    def _numbers(self) -> dict[str, Any]:
        return {"tally": self.tally, "now": self._now}

    def _parts(self) -> dict[str, Any]:
        parts = {"memory": self.memory, "judge": self.judge, "spike": self._spike, "diary": self.diary}
        optional = {"held": self.held_out, "pending": self.pending, "enrolment": self._enrolment}
        detectors = {f"detector {name}": d for name, d in self.detectors.items()}
        return {**parts, **{n: p for n, p in optional.items() if p is not None}, **detectors}

    def __repr__(self) -> str:
        t = self.tally
        return f"<Learner: {t.seen:,} samples, {t.steps:,} steps, {t.commits} commits, {self.bytes.total:,} B of RAM>"


def _numbers(outputs: Array) -> Array:
    """Raises ``NotFinite`` where one is not: a session lets infinite ones pass."""
    if not np.isfinite(outputs).all():
        raise NotFinite(float("inf"), "predict")
    return outputs


def _finite(sample: Array) -> bool:
    return sample.dtype.kind != "f" or bool(np.isfinite(sample).all())
