"""The work of ``selvedge try``: a user's model and data, planned, trained, and set beside what else could be done."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from .. import draw
from ..artifact import files
from ..data import Dataset, Part
from ..device import Device
from ..device.sizes import format_bytes
from ..errors import DoesNotFit, SelvedgeError
from ..learn.metrics import Score, dummy, score
from ..learn.train import Fitted, fit
from ..make.compile import HostSession, emit, measured
from ..make.compile import compile as compile_plan
from ..make.measure import Measured
from ..make.plan import Plan
from . import optimizer as optimizers
from .chosen import chosen, wrapped
from .figures import joules, seconds
from .figures import score as said
from .held import held
from .interrupt import Interrupted
from .job import Job, Terms, planned, prepare
from .more import more
from .progress import Work
from .reference import LEAST, Reference, reference
from .stopping import stopping
from .training import Order, report, write_state

PLANNED, UNLIMITED = "Selvedge, as planned", "PyTorch, all of it, no limit"
GAP = 0.05  # of accuracy, above which the trial says so


@dataclass(frozen=True, slots=True)
class Row:
    """One way to go about it. ``test``: on held-out samples (None: it does not fit, and ``note`` says why).
    ``arena``: bytes; ``step_s``: here, ``device_s``: predicted, both of one step."""

    name: str
    test: Score | None
    arena: int | None = None
    step_s: float | None = None
    device_s: float | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class Trial:
    """``rows``: the baselines, the plan ("as planned") and PyTorch. ``curves``: name -> validation score by epoch.
    ``more``: what would let more learn on the device."""

    order: Order
    data: Dataset
    plan: Plan
    fitted: Fitted
    measured: Measured
    rows: tuple[Row, ...]
    curves: Mapping[str, Sequence[Score]]
    notes: tuple[str, ...]
    more: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """The figures, for machines."""
        step = self.plan.cost
        return {
            "model": self.plan.name,
            "device": self.plan.device.name,
            "data": self.data.to_dict(),
            "plan": self.plan.to_dict(),
            "batch": self.plan.batch,
            "training": self.fitted.to_dict(),
            "arena_predicted": self.plan.arena_bytes,
            "arena_measured": self.measured.arena,
            "stack_measured": max(self.measured.stack.values()),
            "step_seconds": self.fitted.step_s,
            "device_step_seconds": step.seconds,
            "device_step_joules": step.joules,
            "rows": [asdict(row) for row in self.rows],
            "notes": list(self.notes),
            "chosen": chosen(self.plan, self.order.update, self.order.batch),
            "more": self.more,
            "next": self.next(),
            "out": None if self.order.out is None else str(self.order.out),
        }

    def __str__(self) -> str:
        plan, step = self.plan, self.plan.cost
        spelt = optimizers.spelt(plan.optimizer)
        lines = [
            str(self.data),
            *(f"  {note}" for note in self.notes),
            "",
            f"plan for {plan.device.name}: update {plan.update}, batch {plan.batch}, {spelt}",
            *(f"  {c.what}: {c.why}" for c in plan.arrangement.choices if c.what.startswith("update ")),
            *wrapped(chosen(plan, self.order.update, self.order.batch)),
            f"  RAM {plan.arena_bytes:,} B predicted, {self.measured.arena:,} B measured here, of "
            f"{plan.budget.ram:,} B; stack {max(self.measured.stack.values()):,} B",
            f"  a step: {seconds(self.fitted.step_s)} here, Python's call included; {seconds(step.seconds)} predicted "
            f"on {plan.device.name}, energy {joules(step.joules) if step.joules is not None else 'not known'}",
            "",
            f"{f'on {self._held()} held-out samples':<34}{'test':>14}{'RAM':>14}{'a step here':>14}{'on device':>12}",
        ]
        for row in self.rows:
            test = "-" if row.test is None else said(row.test.accuracy, row.test.loss)
            arena = "-" if row.arena is None else format_bytes(row.arena)
            lines.append(f"{row.name:<34}{test:>14}{arena:>14}{seconds(row.step_s):>14}{seconds(row.device_s):>12}")
            if row.note:
                lines.append(f"  {row.note}")
        return "\n".join([*lines, "", *self.next()])

    def next(self) -> list[str]:
        """What the user may do now, with the reason first."""
        order, given = self.order, {row.name: row.test for row in self.rows}
        here, torch = given[PLANNED], given.get(UNLIMITED)
        told = []
        if here is not None and not here.better(self.fitted.dummy):
            told.append("no better than guessing: give more --epochs, another --optimizer sgd:lr=..., or more data")
        elif _ahead(torch, here) > GAP and self.plan.update == "full":
            told.append(
                "PyTorch without a limit is ahead: more --epochs, --optimizer adam:lr=0.001, or weights that were"
            )
            told.append("trained before may close the gap")
        elif _ahead(torch, here) > GAP:
            told.append(
                "PyTorch, where all of it learns, is ahead: weights that were trained before, more --epochs, or a"
            )
            told.append("device with more RAM may close the gap")
        if self.more is not None:
            told.append(self.more)
        if order.out is None:
            told.append(f"next: selvedge train {_again(order)} --out model/")
            told.append("      keeps what is learnt; selvedge predict model/ FILE... then says what new files are")
        else:
            told.append(f"next: selvedge predict {order.out} FILE... says what new files are")
        if order.plot is None:
            told.append("      the same line with --plot report.html draws curves, memory and costs")
        return told

    def _held(self) -> int:
        return len(_test(self.data))


ASKED = (
    "budget", "epochs", "batch", "accumulate", "optimizer", "schedule", "update", "contribution", "norms", "dropout",
    "loss", "shape", "seed",
)  # fmt: skip


def _again(order: Order) -> str:
    """What trains the same with ``selvedge train``: model, data, device, and what was asked for beside them."""
    words = [order.model, "--data", order.data, "--device", order.device]
    usual = Order(order.model, order.data, order.device)
    for name in ASKED:
        value = getattr(order, name)
        if value != getattr(usual, name):
            text = optimizers.spelt(value) if name == "optimizer" else str(value)
            words += ["--input" if name == "shape" else f"--{name}", text]
    return shlex.join(words)


def attempt(order: Order, debug: bool) -> Trial:
    """Raises ``SelvedgeError``."""
    device = Device.load(order.device)
    with Work() as work:
        with held(debug):
            micro = None if order.batch is None else max(1, order.batch // order.accumulate)
            job = prepare(order.model, order.data, order.shape, order.loss, order.seed, work, micro)
            terms = Terms(
                device,
                order.budget,
                order.optimizer,
                order.schedule,
                order.update,
                order.norms,
                order.batch,
                order.epochs,
                order.accumulate,
                order.contribution,
                order.dropout,
            )
            plan = planned(job, terms, work)
            last, refused = _last(job, terms, plan, work)
            would = more(job, terms, plan, work)
        work.part("measuring the memory")
        session, real = compile_plan(plan), measured(plan)
        if real.faults:
            raise SelvedgeError(f"the checking build found a fault: {real.faults[0]}")
        before = score(session, _test(job.data))
        guess = dummy(type(plan.loss).__name__, job.data.part("train"), _test(job.data), session)
        fitted = _fitted(session, job, order, work, "training as planned")
        after = score(session, _test(job.data))
        last_row, last_fitted = _last_row(last, refused, plan, job, order, work, after, fitted)
        work.part("training in PyTorch", order.epochs)
        kind = type(plan.loss).__name__
        batch = session.manifest.step_batch
        with held(debug):
            rule = terms.optimizer_of(max(batch, LEAST))
            torch = reference(job, rule, order.schedule, order.epochs, batch, order.seed, kind, work.at)
        if order.out is not None:
            emit(plan, "c", order.out, learnt=session)
            write_state(order.out / "state.npz", session)
    rows = [
        Row("guessing the most frequent class" if guess.accuracy is not None else "guessing the mean", guess),
        _program("the model as it came", before, plan, learns=False),
        last_row,
        replace(_program(PLANNED, after, plan), step_s=fitted.step_s),
    ]
    if torch is not None:
        rows.append(Row(UNLIMITED, torch.test, step_s=torch.step_s))
    made = Trial(
        order, job.data, plan, fitted, real, tuple(rows), _curves(fitted, last_fitted, torch), job.notes(), would
    )
    if order.plot is not None:
        files.write(order.plot, page(made).encode())
    return made


def page(made: Trial) -> str:
    """The whole trial on one page."""
    plan = made.plan
    classes = made.fitted.dummy.accuracy is not None
    colours = iter("abcde")
    lines = [
        draw.Line(name, next(colours), [(i, s.accuracy if classes and s.accuracy is not None else s.loss)
                                        for i, s in enumerate(scores, 1)])
        for name, scores in made.curves.items()
    ]  # fmt: skip
    what = "accuracy" if classes else "loss"
    head = ("", "test", "RAM", "a step here", "on the device")
    rows = [
        (
            row.name,
            "-" if row.test is None else said(row.test.accuracy, row.test.loss),
            "-" if row.arena is None else format_bytes(row.arena),
            seconds(row.step_s),
            seconds(row.device_s),
        )
        for row in made.rows
    ]
    parts = [
        draw.section("Side by side", draw.table(head, rows, strong=3)),
        draw.section(
            "While it learns",
            draw.curves(f"Validation {what}", "epoch", f"{what} on validation samples", lines, percent=classes),
        ),
        draw.section(
            "Memory of a step", draw.memory(plan.arrangement, plan.arrangement.backward.name, plan.budget.ram)
        ),
        draw.section("Cost of a step", draw.costs(plan.arrangement, plan.arrangement.backward.name)),
    ]
    return draw.page(f"{plan.name} on {plan.device.name}", parts, subtitle=str(made.data))


def _ahead(one: Score | None, other: Score | None) -> float:
    """By how much ``one`` is the more accurate; 0 where that cannot be said."""
    if one is None or other is None or one.accuracy is None or other.accuracy is None:
        return 0.0
    return one.accuracy - other.accuracy


def _test(data: Dataset) -> Part:
    return data.part("test" if len(data.split["test"]) else "train")


def _program(name: str, test: Score, plan: Plan, learns: bool = True) -> Row:
    arena = plan.arena_bytes if learns else plan.arrangement.programs["predict"].transient_bytes
    return Row(name, test, arena, device_s=plan.cost.seconds if learns else None)


def _last(job: Job, terms: Terms, plan: Plan, work: Work) -> tuple[Plan | None, str]:
    """The plan of the last layer alone at the same batch; None with the reason, or where it is the plan itself."""
    if plan.update == "last:1":
        return None, ""
    try:
        return planned(job, replace(terms, update="last:1", batch=plan.batch, contribution=None), work), ""
    except DoesNotFit as error:
        return None, str(error)


def _last_row(
    last: Plan | None, refused: str, plan: Plan, job: Job, order: Order, work: Work, after: Score, fitted: Fitted
) -> tuple[Row, Fitted | None]:
    if last is None and refused:
        return Row("last layer only", None, note=refused), None
    if last is None:
        row = _program("last layer only", after, plan)
        return replace(row, step_s=fitted.step_s, note="that is what the plan chose"), None
    session = compile_plan(last)
    found = _fitted(session, job, order, work, "training the last layer")
    row = _program("last layer only", score(session, _test(job.data)), last)
    return replace(row, step_s=found.step_s), found


def _fitted(session: HostSession, job: Job, order: Order, work: Work, what: str) -> Fitted:
    train = job.data.part("train")
    validation = job.data.part("validation") if len(job.data.split["validation"]) else train
    work.part(what, max(1, len(train) // session.manifest.step_batch) * order.epochs)
    with stopping() as stop:
        found = fit(
            session,
            train,
            epochs=order.epochs,
            validation=validation,
            seed=order.seed,
            patience=order.patience,
            on_progress=lambda now: report(work, now),
            stop=stop,
        )
    if found.ended == "interrupted":
        raise Interrupted("interrupted; selvedge train can be resumed, a trial begins anew")
    return found


def _curves(fitted: Fitted, last: Fitted | None, torch: Reference | None) -> dict[str, list[Score]]:
    made = {"as planned": [e.score for e in fitted.history]}
    if last is not None:
        made["last layer only"] = [e.score for e in last.history]
    if torch is not None:
        made["PyTorch, no limit"] = list(torch.validation)
    made["guessing"] = [fitted.dummy for _ in fitted.history]
    return made
