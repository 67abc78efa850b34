"""The work of ``selvedge compress``: data of several people and one budget -> what learns best of a new one."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from ..artifact import files
from ..device import Device
from ..errors import InvalidInput
from ..make.compile import compile as compile_plan
from ..make.compile import emit
from ..make.plan import plan as make_plan
from ..make.searching import Compressed, Limits, compress
from ..make.searching.learning import accuracy, learn
from ..make.searching.material import Person, parts, person
from .held import held
from .interrupt import heard, resumable
from .job import Job, prepare
from .progress import Work
from .spoken import spoken

SEARCHED = ("train", "validation")  # parts of the data; the rest is looked at once, by what was chosen
SPOKEN = {
    "budget": "--budget", "epochs": "--epochs", "finalists": "--finalists", "folder": "--work", "judges": "--judges",
    "keep": "--keep", "learn": "--learn", "lr": "--lr", "who": "the groups of --data",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Order:
    """What was asked for. ``work``: the folder that keeps what was found. ``out``: a folder for the device's C."""

    model: str
    data: str
    device: str
    budget: str | None
    shape: str | None
    epochs: int
    lr: float
    learn: int
    judges: int | None
    keep: int
    finalists: int
    bits: tuple[str, ...]
    distil: bool
    work: Path | None
    out: Path | None
    seed: int
    plot: Path | None


@dataclass(frozen=True, slots=True)
class Searched:
    """``shipped``, ``learnt``: accuracy of the best on the test part, ``tests`` samples of ``people`` (0: unknown)
    that the search has not seen; ``learnt`` is None where there are no people to learn from."""

    found: Compressed
    shipped: float
    learnt: float | None
    tests: int
    people: int
    notes: tuple[str, ...]
    out: Path | None

    def to_dict(self) -> dict[str, Any]:
        """The figures, for machines."""
        test = {"shipped": self.shipped, "learnt": self.learnt, "samples": self.tests, "people": self.people}
        out = None if self.out is None else str(self.out)
        return {**self.found.to_dict(), "test": test, "notes": list(self.notes), "out": out}

    def __str__(self) -> str:
        lines = [str(self.found), ""]
        if self.learnt is None:
            lines.append(f"the best on {self.tests:,} samples that the search has not seen: {self.shipped:.1%}")
        else:
            lines.append(
                f"the best on {self.people} {'person' if self.people == 1 else 'people'} whom the search has not seen: "
                f"{self.shipped:.1%} as shipped, "
                f"{self.learnt:.1%} after {self.found.samples} samples ({self.tests:,} tests)"
            )
        lines += [f"note: {note}" for note in self.notes]
        if self.out is not None:
            lines.append(f"\nwritten to {self.out}")
        return "\n".join(lines)


def search(order: Order, debug: bool) -> Searched:
    """Raises ``SelvedgeError`` before anything but the folder of pieces is written, and
    :class:`.interrupt.Interrupted` with how to go on."""
    device = Device.load(order.device)
    limits = Limits() if order.budget is None else Limits.parse(order.budget)
    limits.on(device)  # refuses before the data is read
    with resumable(order.work), spoken(SPOKEN), Work() as work, held(debug):
        job = prepare(order.model, order.data, order.shape, "cross_entropy", order.seed, work)
        rows = np.sort(np.concatenate([job.data.split[p] for p in SEARCHED]))  # a person's own order
        x, y = _numbers(job, rows)
        groups = None if job.data.groups is None else job.data.groups[rows]
        last = ""

        def tell(part: str, done: int, total: int) -> None:
            nonlocal last
            here()
            if part != last:
                work.part(part, total)
                last = part
            work.at(done)

        with heard() as here:
            found = compress(
                _model(order, job), (x, y), who=groups, judges=order.judges, device=device, budget=limits,
                bits=order.bits, distil=order.distil, learn=order.learn, epochs=order.epochs, lr=order.lr,
                keep=order.keep, finalists=order.finalists, folder=order.work, seed=order.seed, on_progress=tell,
            )  # fmt: skip
        work.part("on the test part")
        shipped, learnt, tests, people = _tested(found, job, order)
        work.part("writing")
        if order.out is not None:
            _write(found, job, order)
        if order.plot is not None:
            files.write(order.plot, found.page().encode())
    return Searched(found, shipped, learnt, tests, people, job.data.notes, order.out)


def _model(order: Order, job: Job) -> nn.Module | str:
    if order.model.startswith("zoo:"):
        text = order.model.partition("?")
        said = "classes=" in text[2]
        return order.model if said else f"{order.model}{'&' if text[1] else '?'}classes={len(job.data.labels)}"
    if not isinstance(job.model, nn.Module):
        raise InvalidInput(
            "model", order.model, "an exported program is not searched: give file.py:factory or zoo:NAME"
        )
    return job.model.eval()


def _numbers(job: Job, rows: npt.NDArray[Any]) -> tuple[npt.NDArray[np.float32], npt.NDArray[Any]]:
    """Samples as the model takes them, and their classes."""
    x, y = np.asarray(job.data.x[rows]), job.data.y
    assert y is not None
    made = x if job.data.preprocess is None else job.data.preprocess(x)
    return np.asarray(made, np.float32), y[rows]


def _tested(found: Compressed, job: Job, order: Order) -> tuple[float, float | None, int, int]:
    """(shipped, learnt, tests, people) of the best on the part that the search has not seen."""
    candidate, (_, plan) = found.best, found.take()
    session = compile_plan(plan)
    start, rows = session.snapshot(), job.data.split["test"]
    x, y = _numbers(job, rows)
    people = _people(job, x, y)
    if not people:
        pair = torch.from_numpy(x), torch.from_numpy(y.astype(np.int64))
        return accuracy(session, pair), None, len(rows), 0
    before, after, sizes = [], [], [len(p.test[1]) for p in people]
    for p in people:
        session.restore(start, 0)
        before.append(accuracy(session, p.test))
        if candidate.rate:
            learn(session, p, order.learn, candidate.rate, order.seed)
        after.append(accuracy(session, p.test))
    means = [float(np.average(v, weights=sizes)) for v in (before, after)]
    return means[0], means[1], sum(sizes), len(people)


def _people(job: Job, x: npt.NDArray[np.float32], y: npt.NDArray[Any]) -> list[Person]:
    """Those of the test part who have samples to learn from and others to be judged on."""
    if job.data.groups is None:
        return []
    own = job.data.groups[job.data.split["test"]]
    each = [(str(g), np.flatnonzero(own == g)) for g in sorted(set(own.tolist()))]
    return [person(name, x, y, rows) for name, rows in each if parts(y[rows])]


def _write(found: Compressed, job: Job, order: Order) -> None:
    """The best, with what travels along: how a sample is made, and the classes' names."""
    assert order.out is not None
    module, made = found.take()
    plan = make_plan(
        module, job.example[:1], device=made.device, budget=made.budget, optimizer=made.optimizer,
        schedule=made.schedule, update=made.update, norms="folded", preprocess=job.data.preprocess,
        features=job.data.features, labels=job.data.labels, name=job.name,
    )  # fmt: skip
    emit(plan, "c", order.out)
