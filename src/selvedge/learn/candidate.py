"""What learns: a copy of all that does, judged before it takes the place of what predicts."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from ..errors import InvalidInput
from ..run.ports import NotFinite
from .copies import Copies, Copy
from .diary import Diary
from .examiner import Examiner
from .figures import Tally
from .guard.judge import Judge
from .guard.norm import NormGuard
from .guard.spike import Spike
from .guard.verdict import gains
from .habits import AUTO, Habits
from .lesson import Lessons, Memory
from .metrics import CHUNK
from .rate.pace import Found, auto_rate, cost, room
from .rate.step import step

Array = npt.NDArray[Any]
FORWARDS = 3  # predictions that an update of one sample costs: forward, and both gradients
REFUSALS = 5  # in turn, before a candidate is given up


class Governor(Protocol):
    """Of energy: how many steps may be made now, and what was done. ``energy.meter.Meter`` is one, of a governor and
    the time that it is told."""

    def grant(self, steps: int, /) -> int: ...

    def spend(self, *, steps: int = 0, predictions: int = 0) -> None: ...


@dataclass(slots=True)
class Now:
    """fresh: samples of the round that is under way. boosted: samples for which there are still twice the steps.
    trained: updates of the candidate; since: samples seen when it began. blend, of ``Habits.blends``: of what is
    judged; grown: of what was committed last. asks: the number of the detector for whose drift another variant is asked
    for, from 1; 0: none is."""

    fresh: int = 0
    boosted: int = 0
    trained: int = 0
    since: int = 0
    blend: int = 0
    grown: int = 0
    asks: int = 0


class Candidate:
    """Between two calls the arena holds what predicts; ``copies`` has what learns, and where to go back to."""

    def __init__(
        self,
        examiner: Examiner,
        copies: Copies,
        lessons: Lessons,
        held_out: Memory | None,
        habits: Habits,
        diary: Diary,
        governor: Governor | None,
    ) -> None:
        self.examiner, self.session, self.copies, self.lessons = examiner, examiner.session, copies, lessons
        self.held_out, self.habits, self.diary, self.governor = held_out, habits, diary, governor
        self.tally, self.now, self.spike = Tally(), Now(), Spike()
        self.norm: NormGuard | None = None
        anchor = lessons.anchor
        start = np.zeros(0) if anchor is None else examiner.merit(*anchor.judges)
        self.judge = Judge(examiner.kind, anchor, start, habits.alpha, habits.error, CHUNK)
        self._judges, self._work = len(start), self.session.manifest.step_batch * FORWARDS
        self._first_blend = 0 if anchor is None else len(habits.blends) // 2
        self.now.blend = self.now.grown = self._first_blend
        self.pace: Found | None = None
        if habits.rate == "auto":
            sample = math.prod(lessons.memory.sample_shape) * lessons.memory.dtype.itemsize
            self.pace = Found(self.session.manifest.accumulate, room(self.session, sample))

    def settle(self, x: Array, target: Array, theirs: Array) -> None:
        """What would be committed says what of samples that nobody has learnt from yet, beside what predicts? The arena
        then holds it: the end of the round puts back what predicts."""
        if not self.judge.pay(len(x)):
            return
        self.copies.blend(self.habits.blends[self.now.blend]).into(self.session)
        try:
            ours = self.examiner.knows(self.examiner.outputs(x), target)
        except NotFinite:
            self.restart("dropped", "its output is not finite")
        else:
            self.judge.settle(ours, theirs)
            if self.judge.evidence.below(self.habits.drop):
                self.restart("dropped", f"on new samples it is worse than what predicts: {self.judge.wealth} to 1")

    @property
    def search(self) -> int:
        """Updates that finding a rate takes, where it is due; else 0."""
        due = self.pace is not None and not self.pace.there and len(self.lessons.memory) >= AUTO
        return cost(self.session) if due else 0

    def find(self, x: Array, y: Array) -> None:
        """The rate, and the micro-batches of an update, for what is in the arena. Where none is found, the plan's."""
        assert self.pace is not None
        steps, labelled, accumulate = self.search, self.examiner.labelled, self.session.manifest.accumulate

        def lesson(n: int) -> tuple[Array, Array | None]:
            batch, labels = self.lessons.batch(n, x, y)
            return batch, labels if labelled else None

        try:
            found = auto_rate(self.session, lesson)
        except (InvalidInput, NotFinite) as error:
            self.pace.put(self.session.manifest.schedule.lr(self.session.steps), accumulate)
            self.diary.write(self.tally.seen, "rate", f"none was found, so the plan's: {error}")
        else:
            self.pace.put(found.rate, found.parts)
            self.diary.write(self.tally.seen, "rate", str(found))
        if self.governor is not None:
            self.governor.spend(steps=steps)

    def learn(self, steps: int, x: Array, y: Array, usual: float) -> None:
        """The candidate, which is in the arena, learns."""
        if not self.updated(steps, x, y, usual):
            return
        made = Copy.of(self.session)
        if self.norm is not None:
            norm = self._moved(made, self.copies.candidate, steps)
            if self.norm.update(norm):
                self.restart("dropped", f"its gradient's norm leapt to {norm:.3g}, from {self.norm.usual:.3g}")
                return
        self.now.trained += steps
        self.copies.candidate = made
        self.judge.earn(steps * self._work * self.habits.shadow, 2.0 * self._cost + 4 * self.habits.every)

    def updated(self, steps: int, x: Array, y: Array, usual: float, remembered: bool = True) -> bool:
        """``steps`` updates of what is in the arena; where it falls apart, another candidate takes its place."""
        self.spike.restart()
        rate, parts = self._pace
        session, size, labelled = self.session, parts * self.session.manifest.batch, self.examiner.labelled
        for _ in range(steps):
            batch, labels = self.lessons.batch(size, x, y, remembered)
            try:
                loss = step(session, batch, labels if labelled else None, rate, parts)
            except NotFinite as error:
                self.restart("dropped", f"its loss is {error.loss}")
                return False
            self.tally.steps += 1
            if self.governor is not None:
                self.governor.spend(steps=1)
            if self.spike.update(loss, usual):
                self.restart("dropped", f"its loss leapt to {loss:.3g}, from {usual:.3g}")
                return False
        return True

    def commit(self, why: str, blends: Sequence[int]) -> bool:
        """Let the candidate predict, by the first of these blends that nothing speaks against; whether it does. What is
        in the arena then is any of them.

        What was judged until then is, either way, not what will be judged: the next one has to show again that it is
        better, than what now predicts.
        """
        now, refused = self.now, ""
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
            self.restart("dropped", f"refused {REFUSALS} times in turn")
            return False
        now.blend = min(blends[-1] + 1, len(self.habits.blends) - 1)
        self.judge.again()
        return False

    def _tried(self, blend: int) -> str:
        """Commit this blend unless something speaks against it: that, or nothing."""
        made = self.copies.blend(self.habits.blends[blend])
        made.into(self.session)
        try:
            refused, unasked = self.lost_at_the_start()
            self.judge.refund(unasked)
            refused = refused or self._lost_since(made)
        except NotFinite:
            return "its output is not finite"
        if not refused:
            self.copies.commit(made)
        return refused

    def lost_at_the_start(self) -> tuple[str, int]:
        """(Why the anchor speaks against what is in the arena, or nothing; how many of its judges are not to be paid.)
        They are asked some at a time, no longer than there is hope. Those that were not asked are paid nevertheless but
        where the first ones refused: the credit must not tell more than the answer does."""
        if self.lessons.anchor is None:
            return "", 0
        x, y = self.lessons.anchor.judges
        merits = np.zeros(0)
        for i in range(0, len(x), CHUNK):
            part = slice(i, i + CHUNK)
            try:
                merits = np.concatenate([merits, self.examiner.merit(x[part], None if y is None else y[part])])
            except NotFinite:
                self.judge.answers.say("refused")
                raise
            against = self.judge.lost_at_the_start(merits)
            if against:
                return against, len(x) - len(merits) if i == 0 else 0
        return "", 0

    def _lost_since(self, made: Copy) -> str:
        """Why the samples that were held out speak against what is in the arena; or nothing."""
        if self.held_out is None or not len(self.held_out):
            return ""
        x, y = self.held_out.all()
        ours = self.examiner.merit(x, y)
        self.copies.deployed.into(self.session)
        worse = -float(gains(self.examiner.kind, ours, self.examiner.merit(x, y)).mean())
        made.into(self.session)
        return f"on {len(x)} samples that were held out it is worse by {worse:.1%}" if worse > 0 else ""

    def restart(self, kind: str, why: str) -> None:
        """Another candidate, from what was committed last."""
        self.diary.write(self.tally.seen, kind, why)
        self.copies.candidate = self.copies.grown
        self.judge.next()
        self.now.trained, self.now.since, self.now.blend = 0, self.tally.seen, self.now.grown

    def put(self, copy: Copy) -> None:
        """``copy`` predicts, and another candidate begins from it."""
        copies = self.copies
        copies.deployed = copies.candidate = copies.grown = copy
        self.judge.next()
        self.spike.restart()
        self.now.trained, self.now.since = 0, self.tally.seen
        copy.into(self.session)

    def reset(self) -> None:
        """Back to the weights that it began with, bit for bit."""
        self.copies.deployed = self.copies.grown = self.copies.began
        self.now.grown = self._first_blend
        self.restart("reset", "asked for")
        self.copies.deployed.into(self.session)

    def _moved(self, made: Copy, before: Copy, steps: int) -> float:
        """The 2-norm of what ``steps`` updates changed of the parameters, of each and over the rate."""
        rate = self._pace[0]
        unit = self.session.manifest.schedule.lr(before.steps) if rate is None else rate
        squares = 0.0
        for name, entry in self.session.manifest.state.items():
            if entry.of_model and name in made.arrays and made.arrays[name].dtype.kind == "f":
                apart = made.arrays[name].astype(np.float64) - before.arrays[name]
                squares += float(np.vdot(apart, apart))
        return math.sqrt(squares) / (steps * unit) if unit else 0.0

    @property
    def _pace(self) -> tuple[float | None, int]:
        """Rate, None: the plan's, and micro-batches of an update."""
        if self.pace is not None and self.pace.there:
            return self.pace.rate, self.pace.parts
        rate = self.habits.rate
        return None if rate == "auto" else rate, self.session.manifest.accumulate

    @property
    def _cost(self) -> int:
        """Predictions that a look takes."""
        return self._judges + 2 * (0 if self.held_out is None else len(self.held_out))
