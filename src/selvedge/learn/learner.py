"""A model that goes on learning from a stream, in so many bytes, and is never worse than it began (docs/adr/0029)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from ..artifact.sound import face
from ..errors import DoesNotFit, InvalidInput
from ..run.ports import NotFinite
from ..run.session import Session
from .augment.piece import Piece
from .candidate import Candidate, Governor, Now
from .copies import Copies
from .cross import Ask, crossed, require, updates
from .diary import Diary
from .draws import Draws
from .enrolling import Enrolling
from .examiner import Examiner
from .figures import Bytes, Prediction, Tally
from .given import all_finite
from .guard.anchor import Anchor
from .guard.judge import Judge
from .guard.labels import LabelGuard
from .guard.norm import NormGuard
from .habits import Habits
from .lesson import Lessons, Memory
from .metrics import predictions
from .pending import Pending
from .spare import Labels, Masked
from .watch import WATCHED, Detector, Watch

Array = npt.NDArray[Any]
LARGEST = 1e30  # loss of a sample that is counted
ABSURD = 1e3  # nats: logits a thousand apart come of inputs that are no measurement


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
        augment: Piece | None = None,
        label_guard: LabelGuard | None = None,
        norm_guard: NormGuard | None = None,
        labels: Sequence[str] | None = None,
        pending_bytes: int = 0,
        diary_bytes: int = 4096,
        budget: int | None = None,
        seed: int = 0,
    ) -> None:
        """memory: of samples to learn from again, of the dtype in which samples come. held_out: of samples that only
        judge. detectors: by what they watch - "error" (0 or 1; or the loss), "loss", "confidence", "input" (its mean).
        label_guard: of labels that are probably wrong, which are not learnt from. norm_guard: of rounds that move a
        candidate too far, which is dropped. labels: the classes of the first outputs, where others are spare, for
        :meth:`enrol`. budget: bytes of RAM for all of it.

        Raises ``InvalidInput`` for a plan that cannot serve it and for other settings that cannot be, and
        ``DoesNotFit`` above the budget.
        """
        manifest = session.manifest
        self.memory, self.held_out, self.anchor = memory, held_out, anchor
        self.labels = None if labels is None else Labels(labels, manifest.classes)
        self.session = session if self.labels is None else cast(Session, Masked(session, self.labels))
        self.habits, self._watch, self._examiner = habits or Habits(), Watch(detectors or {}), Examiner(self.session)
        shape = face(manifest.programs["predict"].inputs["x"])[1:]
        if memory.sample_shape != shape:
            raise InvalidInput("memory", f"of samples {list(memory.sample_shape)}", f"the plan takes {list(shape)}")
        self._require_alike(anchor, held_out)
        self._require_classes(anchor)
        self._x = np.zeros((self.habits.every, *shape), memory.dtype)
        self._y = np.zeros(self.habits.every, np.int32)
        self.label_guard = label_guard
        if label_guard is not None and (not self.labelled or label_guard.classes != manifest.classes):
            fix = f"the plan has {manifest.classes}" if self.labelled else f"the loss {self.kind} has no labels"
            raise InvalidInput("label_guard", f"of {label_guard.classes} classes", fix)
        self.pending = Pending(pending_bytes, shape, memory.dtype) if pending_bytes else None
        self.diary = Diary(diary_bytes)
        lessons = Lessons(self.habits.shares, memory, anchor, augment, Draws(seed), manifest.preprocess)
        self._candidate = Candidate(
            self._examiner, Copies(session), lessons, held_out, self.habits, self.diary, governor
        )  # fmt: skip
        self._candidate.norm = norm_guard
        self._enrolling = None if self.labels is None else Enrolling(self._candidate, self.labels, memory)
        needed = self.bytes
        if budget is not None and needed.total > budget:
            largest = sorted(needed.ram, key=lambda name: -needed.ram[name])[:3]
            parts = ", ".join(f"{name} ({needed.ram[name]:,} B)" for name in largest)
            raise DoesNotFit("RAM of the learner", needed.total, budget, f"make one of these smaller: {parts}")

    @property
    def tally(self) -> Tally:
        """What it has come to."""
        return self._candidate.tally

    @property
    def judge(self) -> Judge:
        """Who lets a candidate predict, or does not."""
        return self._candidate.judge

    @property
    def kind(self) -> str:
        """The loss's class name."""
        return self._examiner.kind

    @property
    def detectors(self) -> Mapping[str, Detector]:
        """Of drift, by what they watch."""
        return self._watch.detectors

    @property
    def labelled(self) -> bool:
        """Whether a sample comes with a class."""
        return self._examiner.labelled

    @property
    def governor(self) -> Governor | None:
        """Of energy."""
        return self._candidate.governor

    @governor.setter
    def governor(self, governor: Governor | None) -> None:
        self._candidate.governor = governor

    @property
    def asks(self) -> str | None:
        """For another variant, and why; None: it does not, or no longer (:meth:`answered`)."""
        number = self._candidate.now.asks
        return f"another variant: the {WATCHED[number - 1]} has drifted" if number else None

    # -- predicting -------------------------------------------------------------------------------------------------

    def predict_one(self, x: npt.ArrayLike, *, later: bool = False) -> Prediction:
        """One sample, without the batch axis. later: keep it until its label comes (:meth:`label`).

        Raises ``InvalidInput`` for another shape or dtype, and for NaN or Inf.
        """
        sample = self._sample(x)
        if not all_finite(sample):
            raise InvalidInput("sample", "not finite", "give numbers")
        output = predictions(self.session, sample[None])[0]
        if self.governor is not None:
            self.governor.spend(predictions=1)
        return Prediction(output, self._waiting().keep(sample) if later else None)

    def predict_many(self, x: npt.ArrayLike) -> Array:
        """Outputs of samples [n, ...], n >= 1. Raises as :meth:`predict_one`, before anything is spent."""
        many = self.several(x)
        if self.governor is not None:
            self.governor.spend(predictions=len(many))
        return predictions(self.session, many)

    def several(self, x: npt.ArrayLike) -> Array:
        """x as :meth:`predict_many` would take it. Raises as it does, and nothing changes."""
        many, mine = np.asarray(x), self._x
        if many.ndim != mine.ndim or not len(many):
            raise InvalidInput(
                "samples", f"{many.dtype}{list(many.shape)}", f"give [n, {str(list(mine.shape[1:]))[1:]}"
            )
        taken = np.stack([self._sample(sample) for sample in many])
        for i, sample in enumerate(taken):
            if not all_finite(sample):
                raise InvalidInput(f"sample {i}", "not finite", "give numbers")
        return taken

    # -- learning ---------------------------------------------------------------------------------------------------

    def learn_one(self, x: npt.ArrayLike, y: int | None = None) -> bool:
        """One sample with its label (none where the loss has none); whether it ended a round.

        A sample that is not finite is refused and counted: that is the world, not the caller. Raises
        ``InvalidInput`` for another shape, dtype or label, before anything changes.
        """
        label, sample = self._label(y), self._sample(x)
        if not all_finite(sample):
            self.tally.refused += 1
            self.diary.write(self.tally.seen, "refused", "a sample that is not finite")
            return False
        now = self._candidate.now
        self._x[now.fresh], self._y[now.fresh] = sample, label
        now.fresh += 1
        if now.fresh < self.habits.every:
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
        if self._candidate.now.fresh:
            self._round()

    def examine(self, folds: int = 5, ask: Ask = "better") -> bool:
        """Commit what was learnt if learning is better on those samples in memory that it has not seen; whether it did.

        For few samples, as of an enrolment, of which one pass shows too little: ``folds`` times what predicts learns
        all but a part of the memory, with as many updates a sample as the candidate had, and is asked for that part
        (:func:`crossed`). The error is spent as with any other candidate; the anchor and what was held out still have
        their say. ask: "no worse" commits where the mean gain is above 0: where a person gave the labels, and so has
        decided that it be learnt.

        Raises ``InvalidInput`` unless there are 2 or more samples for each fold.
        """
        self.finish()
        candidate, (x, y) = self._candidate, self.memory.all()
        if candidate.copies.candidate.same(candidate.copies.grown):
            return False
        require(folds, len(x), ask)
        steps = candidate.now.trained or self.habits.steps * len(x)
        try:
            usual = self._examiner.usual(predictions(self.session, x), self._examiner.target(x, y))

            def learn(fold: int, rows: Array) -> bool:
                candidate.copies.deployed.into(self.session)
                return candidate.updated(updates(steps, len(x), folds, fold), x[rows], y[rows], usual, remembered=False)

            draws, allowed = candidate.lessons.draws, self.judge.allowed
            order = candidate.lessons.order(len(x))
            found = crossed(self._examiner, x, y, folds, order, learn, ask, allowed, draws)
            if found is None:
                return False
            self.judge.again()
            if not found.good:
                self.diary.write(self.tally.seen, "refused", f"{found}; {allowed:.2g} is allowed")
                return False
            return candidate.commit(f"better: {found}", range(len(self.habits.blends)))
        except NotFinite as error:
            candidate.restart("dropped", str(error).partition(";")[0])
            return False
        finally:
            candidate.copies.deployed.into(self.session)

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
        enrolling, x = self.enrollable(label, examples, steps)
        self.finish()
        return enrolling.enrol(label, x, steps)

    def undo(self) -> None:
        """Take the last enrolment back: weights, memory and classes are bit for bit what they were before it; what was
        learnt since is gone too. Raises ``InvalidInput`` where there is none, or it was taken back."""
        enrolling = self.undoable()
        self._candidate.now.fresh = 0
        enrolling.undo()

    def enrollable(self, label: str, examples: npt.ArrayLike, steps: int) -> tuple[Enrolling, Array]:
        """What :meth:`enrol` works with. Raises as it does."""
        if self._enrolling is None:
            fix = "give the learner labels= of its classes, of a plan with more outputs than that"
            raise InvalidInput("labels", None, fix)
        given = np.asarray(examples)
        x = np.stack([self._sample(sample) for sample in given]) if given.ndim and len(given) else given
        if not x.ndim or not len(x) or not all_finite(x):
            raise InvalidInput("examples", f"{x.dtype}{list(x.shape)}", "give one or more samples, all finite")
        self._enrolling.require(label, steps)
        return self._enrolling, x

    def undoable(self) -> Enrolling:
        """What :meth:`undo` takes back. Raises as it does."""
        if self._enrolling is None or not self._enrolling.kept.held:
            raise InvalidInput("undo", "without an enrolment", "enrol a class first; only the last one can be undone")
        return self._enrolling

    def answered(self, why: str) -> None:
        """What it asked for (:attr:`asks`) is settled, as ``why`` says: another variant takes over from here, or there
        is none. Raises ``InvalidInput`` where it asks for nothing."""
        if self.asks is None:
            raise InvalidInput("answered", why, "it asks for nothing: see asks")
        self.diary.write(self.tally.seen, "answered", f"{self.asks}: {why}")
        self._candidate.now.asks = 0

    def reset(self) -> None:
        """Back to the weights that it began with, bit for bit; what is remembered stays."""
        self._candidate.reset()

    # -- a round ----------------------------------------------------------------------------------------------------

    def _round(self) -> None:
        candidate, habits = self._candidate, self.habits
        now, tally = candidate.now, candidate.tally
        x, y = self._x[: now.fresh].copy(), self._y[: now.fresh].copy()
        now.fresh = 0
        x, y, outputs, losses = self._trusted(*self._answered(x, y))
        if not len(x):
            return
        target = self._examiner.target(x, y)
        served = self._examiner.worth(outputs, target)
        tally.merit += float(np.add.reduce(served))
        tally.loss += float(np.add.reduce(np.fmin(losses, LARGEST)))  # of what is no number, too
        if self.detectors:
            for name in self._watch.look(x, outputs, losses, 1 - served if self.labelled else losses):
                self._drifted(name)
        try:
            if now.trained and tally.seen - now.since >= habits.warm:
                candidate.settle(x, target, self._examiner.knows(outputs, target))
            for sample, label in zip(x, y.tolist(), strict=True):
                tally.seen += 1
                judges = habits.hold_out and tally.seen % habits.hold_out == 0
                kept = self.held_out if judges and self.held_out is not None else self.memory
                kept.add(sample, label)
            tally.rounds += 1
            if self.judge.better:
                candidate.commit(f"better on new samples ({self.judge.wealth} to 1)", (now.blend,))
            search = candidate.search
            asked = len(x) * habits.steps * (2 if now.boosted > 0 else 1)
            now.boosted = max(0, now.boosted - len(x))
            steps = asked + search if self.governor is None else self.governor.grant(asked + search)
            if search and steps >= asked + search:
                candidate.copies.candidate.into(self.session)
                candidate.find(x, y)
            steps = min(asked, steps)
            if steps:
                candidate.copies.candidate.into(self.session)
                candidate.learn(steps, x, y, self._examiner.usual_of(losses))
        finally:  # a governor, a memory or Ctrl-C too: what predicts is what was committed
            candidate.copies.deployed.into(self.session)

    def _answered(self, x: Array, y: Array) -> tuple[Array, Array, Array, Array]:
        """Those samples to which what predicts has a sound answer, the answers and their losses. The others, as of
        1e30, are refused and counted, as those that are not finite themselves: in the memory one of them would spoil
        every candidate that learns from it."""
        came = len(x)
        try:
            outputs = self._examiner.outputs(x)
        except NotFinite:
            each = [self._answer(sample) for sample in x]
            rows = np.array([i for i, output in enumerate(each) if output is not None], np.intp)
            answers = [output for output in each if output is not None]
            outputs = np.stack(answers) if answers else np.zeros((0, 1), np.float32)
            x, y = x[rows], y[rows]
        losses = self._examiner.losses(outputs, self._examiner.target(x, y)) if len(x) else np.zeros(0)
        if self.labelled:
            sound = losses <= ABSURD
            if not sound.all():
                x, y, outputs, losses = x[sound], y[sound], outputs[sound], losses[sound]
        if len(x) < came:
            self.tally.refused += came - len(x)
            self.diary.write(self.tally.seen, "refused", f"{came - len(x)} samples to which no answer is sound")
        return x, y, outputs, losses

    def _trusted(self, x: Array, y: Array, outputs: Array, losses: Array) -> tuple[Array, Array, Array, Array]:
        """Those whose labels may be learnt from; to the others nothing else happens either: what judges would be
        misled by them as what learns is."""
        if self.label_guard is None or not len(x):
            return x, y, outputs, losses
        sound = self.label_guard.sound(outputs, y)
        if not sound.all():
            pairs = zip(y[~sound], outputs[~sound].argmax(1), strict=True)
            told = ", ".join(f"{label} where {seen} is seen" for label, seen in pairs)
            self.diary.write(self.tally.seen, "doubted", f"{(~sound).sum()} of {len(x)} labels: {told}")
        return x[sound], y[sound], outputs[sound], losses[sound]

    def _answer(self, sample: Array) -> Array | None:
        try:
            return np.asarray(self._examiner.outputs(sample[None])[0])
        except NotFinite:
            return None

    def _drifted(self, name: str) -> None:
        self.diary.write(self.tally.seen, "drift", f"in the {name}: {self.habits.drift}")
        if self.habits.drift == "more":
            self._candidate.now.boosted = self.habits.boost
        elif self.habits.drift == "reset":
            self.reset()
        elif self.habits.drift == "variant":
            self._candidate.now.asks = 1 + WATCHED.index(name)

    # -- numbers ----------------------------------------------------------------------------------------------------

    @property
    def bytes(self) -> Bytes:
        """Exactly, and the same from the first day."""
        ram = {
            "arena": self.session.arena_bytes,
            "copies": self._candidate.copies.bytes,
            "memory": self.memory.bytes,
            "round": self._x.nbytes + self._y.nbytes,
            "judge": self.judge.bytes + self._candidate.spike.bytes,
            "counts": 8 * (len(fields(Tally)) + len(fields(Now)) + len(("seed", "draws"))),
            "diary": self.diary.bytes,
        }
        if self.held_out is not None:
            ram["held out"] = self.held_out.bytes
        if self.pending is not None:
            ram["pending"] = self.pending.bytes
        if self._enrolling is not None:
            ram["undo"] = self._enrolling.kept.bytes
        if self._watch.detectors:
            ram["detectors"] = self._watch.bytes
        if self._candidate.pace is not None:
            ram["rate"] = self._candidate.pace.bytes + self._candidate.pace.room
        if self.label_guard is not None:
            ram["label guard"] = self.label_guard.bytes
        if self._candidate.norm is not None:
            ram["norm guard"] = self._candidate.norm.bytes
        flash = {"weights": self.session.manifest.weights_bytes}
        if self.anchor is not None:
            flash["anchor"] = self.anchor.bytes
        return Bytes(ram, flash)

    def _sample(self, x: npt.ArrayLike) -> Array:
        sample, mine = np.asarray(x), self._x
        if sample.dtype != mine.dtype and mine.dtype.kind == "f" and sample.dtype.kind in "fiu":
            sample = sample.astype(mine.dtype, copy=False)  # whoever keeps it copies it
        if sample.shape != mine.shape[1:] or sample.dtype != mine.dtype:
            wanted = f"{mine.dtype}{list(mine.shape[1:])}"
            raise InvalidInput("sample", f"{sample.dtype}{list(sample.shape)}", f"give {wanted}")
        return sample

    def _label(self, y: int | None) -> int:
        if not self._examiner.labelled:
            if y is not None:
                raise InvalidInput("y", y, f"the loss {self.kind} has no target; leave it out")
            return 0
        classes = self.session.manifest.classes
        if y is None or not isinstance(y, (int, np.integer)) or not 0 <= y < classes:
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

    def _require_classes(self, anchor: Anchor | None) -> None:
        """The memories hold every class of the model, and the anchor no other."""
        if not self.labelled:
            return
        classes = self.session.manifest.classes
        for name, memory in (("memory", self.memory), ("held_out", self.held_out)):
            if memory is not None and getattr(memory, "classes", classes) < classes:
                raise InvalidInput(name, f"of {getattr(memory, 'classes', 0)} classes", f"the plan has {classes}")
        y = None if anchor is None else anchor.y
        if y is not None and (y.dtype.kind not in "iu" or not 0 <= y.min() <= y.max() < classes):
            told = f"{y.dtype}, {y.min()}..{y.max()}"
            raise InvalidInput("anchor y", told, f"give classes, 0..{classes - 1}")

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
        state = {"fresh/x": self._x.copy(), "fresh/y": self._y.copy(), **self._candidate.copies.state_dict()}
        for name, part in self._parts().items():
            state |= {f"{name}/{n}": np.array(a) for n, a in part.state_dict().items()}
        for name, numbers in self._numbers().items():
            state[name] = np.array([getattr(numbers, f.name) for f in fields(numbers)], np.float64)
        state["draws"] = np.array(self._candidate.lessons.draws.count)
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
        self._candidate.copies.load_state_dict(state, self.session)
        for name, numbers in self._numbers().items():
            if state[name].shape != (len(fields(numbers)),) or not np.isfinite(state[name]).all():
                raise InvalidInput(f"learner state {name}", state[name], "give what state_dict() gave")
            for f, value in zip(fields(numbers), state[name], strict=True):
                if isinstance(getattr(numbers, f.name), int) and not (value >= 0 and value == int(value)):
                    raise InvalidInput(f"learner state {name}", f"with {f.name} of {value:g}", "give what it gave")
                setattr(numbers, f.name, type(getattr(numbers, f.name))(value))
        now, y = self._candidate.now, self._y
        if not max(now.blend, now.grown) < len(self.habits.blends):
            raise InvalidInput("learner state now", f"of blend {now.blend}", "it is of other habits")
        if now.fresh >= self.habits.every or now.asks > len(WATCHED):
            told = f"of {now.fresh} samples of a round, asking {now.asks}"
            raise InvalidInput("learner state now", told, "it is of other habits")
        if self.labelled and y.size and not 0 <= y.min() <= y.max() < self.session.manifest.classes:
            fix = f"the model has classes 0..{self.session.manifest.classes - 1}"
            raise InvalidInput("learner state fresh/y", f"{y.min()}..{y.max()}", fix)
        self._candidate.lessons.draws.count = int(state["draws"])
        if self._enrolling is not None:
            self._enrolling.mark()
        self._candidate.copies.deployed.into(self.session)

    def _numbers(self) -> dict[str, Any]:
        return {"tally": self.tally, "now": self._candidate.now}

    def _parts(self) -> dict[str, Any]:
        parts = {"memory": self.memory, "judge": self.judge, "spike": self._candidate.spike, "diary": self.diary}
        kept = None if self._enrolling is None else self._enrolling.kept
        optional = {
            "held": self.held_out, "pending": self.pending, "enrolment": kept, "rate": self._candidate.pace,
            "label guard": self.label_guard, "norm guard": self._candidate.norm,
        }  # fmt: skip
        detectors = {f"detector {name}": d for name, d in self._watch.detectors.items()}
        return {**parts, **{n: p for n, p in optional.items() if p is not None}, **detectors}

    def __repr__(self) -> str:
        t = self.tally
        return f"<Learner: {t.seen:,} samples, {t.steps:,} steps, {t.commits} commits, {self.bytes.total:,} B of RAM>"
