"""The work of ``selvedge train``: data, plan, native code, epochs, artifact; and what came out, as a value."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .. import draw
from ..artifact import files
from ..capture.optimizer import Optimizer
from ..data import Dataset
from ..data.archive import npz
from ..device import Device
from ..device.sizes import format_bytes
from ..errors import InvalidInput
from ..learn.metrics import Score, score
from ..learn.train import Diverged, Fitted, Progress, fit
from ..make.compile import HostSession, emit
from ..make.compile import compile as compile_plan
from ..make.plan import Plan
from .chosen import chosen, wrapped
from .figures import score as said
from .figures import seconds
from .held import held
from .interrupt import Interrupted
from .job import Job, Terms, planned, prepare
from .place import writable, writable_folder
from .progress import Work
from .stopping import stopping


@dataclass(frozen=True, slots=True)
class Order:
    """What the command line asks for; the defaults are those of ``try`` and ``train``."""

    model: str
    data: str
    device: str
    budget: str | None = None
    epochs: int = 10
    batch: int | None = None
    accumulate: int = 1
    optimizer: Optimizer | None = None
    schedule: str = "cosine"
    update: str = "auto"
    norms: str = "frozen"
    dropout: int | None = None
    loss: str | None = None
    shape: str | None = None
    patience: int | None = None
    out: Path | None = None
    resume: bool = False
    seed: int = 0
    plot: Path | None = None
    contribution: Path | None = None


@dataclass(frozen=True, slots=True)
class Trained:
    """``test``: of the best epoch, on samples that neither trained nor chose it. ``notes``: what was done before.
    ``chosen``: what was not asked for, and why."""

    data: Dataset
    plan: Plan
    fitted: Fitted
    test: Score
    out: Path
    notes: tuple[str, ...]
    chosen: str

    def to_dict(self) -> dict[str, Any]:
        """The figures, for machines."""
        return {
            "model": self.plan.name,
            "device": self.plan.device.name,
            "data": self.data.to_dict(),
            "plan": self.plan.to_dict(),
            "batch": self.plan.batch,
            "training": self.fitted.to_dict(),
            "test": {"loss": self.test.loss, "accuracy": self.test.accuracy},
            "notes": list(self.notes),
            "chosen": self.chosen,
            "out": str(self.out),
        }

    def __str__(self) -> str:
        plan, fitted = self.plan, self.fitted
        best = fitted.best
        lines = [
            str(self.data),
            *(f"  {note}" for note in self.notes),
            f"{plan.name} on {plan.device.name}: update {plan.update}, {format_bytes(plan.arena_bytes)} of "
            f"{format_bytes(plan.budget.ram)}, batch {plan.batch}",
            *wrapped(self.chosen),
        ]
        if best is not None:
            done = len(fitted.history)
            early = ", ended early: no better epoch" if fitted.ended == "early" else ""
            lines.append(
                f"{done} epoch{'' if done == 1 else 's'}, best {best.number}: "
                f"validation {said(best.accuracy, best.loss)}, test {said(self.test.accuracy, self.test.loss)}; "
                f"guessing reaches {said(fitted.dummy.accuracy, fitted.dummy.loss)}{early}"
            )
        lines.append(
            f"a step took {seconds(fitted.step_s)} here; predicted on {plan.device.name}: {seconds(plan.cost.seconds)}"
        )
        lines += ["", f"written to {self.out}: the artifact, and state.npz with the PyTorch state dict"]
        lines.append(f"next: selvedge predict {self.out} INPUT...")
        return "\n".join(lines)


def train(order: Order, debug: bool) -> Trained:
    """Raises ``SelvedgeError``, and :class:`Interrupted` with what to do to go on."""
    device = Device.load(order.device)
    with Work() as work:
        with held(debug):
            micro = None if order.batch is None else max(1, order.batch // order.accumulate)
            job = prepare(order.model, order.data, order.shape, order.loss, order.seed, work, micro)
            out = order.out or Path(f"{job.name}-trained")
            writable_folder("--out", out)
            path = _checkpoint(out, order.resume)
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
        work.part("compiling")
        session = compile_plan(plan)
        fitted = _fit(session, job, order, path, work)
        test = score(session, job.data.part("test")) if len(job.data.split["test"]) else _held_out(fitted)
        emit(plan, "c", out, learnt=session)
        made = Trained(job.data, plan, fitted, test, out, job.notes(), chosen(plan, order.update, order.batch))
        write_state(out / "state.npz", session)
        files.write(out / "training.json", (json.dumps(made.to_dict(), indent=1) + "\n").encode())
        path.unlink(missing_ok=True)
    if order.plot is not None:
        files.write(order.plot, page(made).encode())
    return made


def write_state(path: Path, session: HostSession) -> None:
    """The PyTorch state dict as arrays: ``{n: torch.from_numpy(a) for n, a in np.load(path).items()}`` loads it."""
    files.write(path, npz({n: t.numpy() for n, t in session.state_dict().items()}))


def page(made: Trained) -> str:
    """Curves, memory and costs on one page."""
    plan, history = made.plan, made.fitted.history
    parts = [
        draw.section(
            "Loss",
            draw.curves(
                "Loss by epoch", "epoch", "loss",
                [
                    draw.Line("validation", "a", [(e.number, e.loss) for e in history]),
                    draw.Line("training", "b", [(e.number, e.train_loss) for e in history]),
                ],
            ),
        )
    ]  # fmt: skip
    if any(e.accuracy is not None for e in history):
        points = [(float(e.number), e.accuracy or 0.0) for e in history]
        guess = [(float(e.number), made.fitted.dummy.accuracy or 0.0) for e in history]
        lines = [draw.Line("validation", "a", points), draw.Line("guessing", "d", guess, True)]
        picture = draw.curves("Accuracy by epoch", "epoch", "right", lines, percent=True)
        parts.insert(0, draw.section("Accuracy", picture))
    parts.append(
        draw.section("Memory of a step", draw.memory(plan.arrangement, plan.arrangement.backward.name, plan.budget.ram))
    )
    parts.append(draw.section("Cost of a step", draw.costs(plan.arrangement, plan.arrangement.backward.name)))
    return draw.page(f"{plan.name} on {plan.device.name}", parts, subtitle=str(made.data))


def report(work: Work, now: Progress) -> None:
    """Where a training is, on the bar."""
    last = "" if now.last is None else f"validation {said(now.last.accuracy, now.last.loss)}"
    work.at((now.epoch - 1) * now.batches + now.batch, f"epoch {now.epoch}/{now.epochs} {last}")


def _fit(session: HostSession, job: Job, order: Order, path: Path, work: Work) -> Fitted:
    train_part = job.data.part("train")
    validation = job.data.part("validation") if len(job.data.split["validation"]) else train_part
    work.part("training", max(1, len(train_part) // session.manifest.step_batch) * order.epochs)
    try:
        with stopping() as stop:
            fitted = fit(
                session,
                train_part,
                epochs=order.epochs,
                validation=validation,
                seed=order.seed,
                patience=order.patience,
                checkpoint=path,
                resume=order.resume,
                on_progress=lambda now: report(work, now),
                stop=stop,
            )
    except Diverged:
        path.unlink(missing_ok=True)  # going on from it would end the same way; the line with another rate begins anew
        raise
    if fitted.ended == "interrupted":
        done = f"after {len(fitted.history)} of {order.epochs} epochs"
        raise Interrupted(f"interrupted {done}; kept in {path}: the same line with --resume goes on")
    return fitted


def _checkpoint(out: Path, resume: bool) -> Path:
    """Beside the folder, which is written whole at the end."""
    path = out.parent / f"{out.name}.checkpoint.npz"
    writable("checkpoint", path)
    if resume and not path.exists():
        raise InvalidInput("--resume", str(path), "there is no such checkpoint: leave --resume out to begin")
    if path.exists() and not resume:
        raise InvalidInput("checkpoint", str(path), "a training was interrupted here: add --resume, or remove the file")
    return path


def _held_out(fitted: Fitted) -> Score:
    assert fitted.best is not None
    return fitted.best.score
