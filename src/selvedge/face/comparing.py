"""The work of ``selvedge compare``: a model and data -> every way to a small network, in one table and one page."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from ..artifact import files
from ..data import Dataset
from ..device import Device
from ..errors import InvalidInput
from ..make.weighing import Weighed, weigh
from . import model as models
from .held import held
from .interrupt import heard, resumable
from .job import Job, prepare
from .progress import Work
from .spoken import spoken

SPOKEN = {"efficient": "--efficient", "lr": "--lr", "out": "--out", "ways": "--ways", "work": "--work"}


@dataclass(frozen=True, slots=True)
class Order:
    """What was asked for; the fields are the options of the command."""

    model: str
    data: str
    device: str
    budget: str | None
    ways: tuple[str, ...] | None
    epochs: int
    seeds: int
    macs: float
    trained: bool
    efficient: str | None
    batch: int
    lr: float
    samples: int
    work: Path | None
    loss: str | None
    shape: str | None
    out: Path | None
    seed: int
    plot: Path | None


@dataclass(frozen=True, slots=True)
class Compared:
    """``weighed``: the rows. ``notes``: what the figures do not say of themselves."""

    weighed: Weighed
    data: Dataset
    notes: tuple[str, ...]
    out: Path | None

    def to_dict(self) -> dict[str, Any]:
        """The figures, for machines."""
        return {
            **self.weighed.to_dict(),
            "data": self.data.to_dict(),
            "notes": list(self.notes),
            "out": None if self.out is None else str(self.out),
        }

    def __str__(self) -> str:
        lines = [str(self.data), str(self.weighed), *(f"note: {note}" for note in self.notes)]
        if self.out is not None:
            lines.append(f"\nthe networks are in {self.out}")
        return "\n".join(lines)


def compare(order: Order, debug: bool) -> Compared:
    """Raises ``SelvedgeError``, and :class:`.interrupt.Interrupted` with how to go on."""
    device = Device.load(order.device)
    with resumable(order.work), spoken(SPOKEN), Work() as work, held(debug):
        job = prepare(order.model, order.data, order.shape, order.loss, order.seed, work)
        work.part("comparing")
        with heard() as here:
            weighed = _weighed(order, job, device, work, here)
    if order.plot is not None:
        files.write(order.plot, weighed.page().encode())
    return Compared(weighed, job.data, tuple(_notes(job, order)), order.out)


def _weighed(order: Order, job: Job, device: Device, work: Work, here: Callable[[], None]) -> Weighed:
    started = False

    def tell(done: int, total: int, says: str) -> None:
        nonlocal started
        here()
        if not started:
            work.part("comparing", total)
            started = True
        work.at(done, says)

    return weigh(
        _maker(order.model, order.shape, job), job.data, device=device, budget=order.budget, loss=job.loss,
        ways=order.ways, epochs=order.epochs, seeds=order.seeds, seed=order.seed, macs=order.macs,
        trained=order.trained, efficient=None if order.efficient is None else _maker(order.efficient, None, job),
        batch=order.batch, lr=order.lr, samples=order.samples, work=order.work, out=order.out, name=job.name,
        on_progress=tell,
    )  # fmt: skip


def _maker(spec: str, shape: str | None, job: Job) -> Callable[[int], nn.Module]:
    """What ``spec`` makes of a seed, for the classes and the shape of the data."""
    classes = len(job.data.labels) if job.loss in ("cross_entropy", "bce_with_logits") else 0
    known = models.Known(tuple(job.example.shape[1:]), classes)

    def make(seed: int) -> nn.Module:
        made = models.load(spec, shape, seed, known).model
        if not isinstance(made, nn.Module):
            raise InvalidInput("model", spec, "an exported program is not trained here: give file.py:factory")
        return made

    make.__name__ = spec
    return make


def _notes(job: Job, order: Order) -> Iterator[str]:
    yield from job.data.notes
    if order.trained and "normalise=" not in order.data and job.data.preprocess is not None:
        yield (
            "samples are standardised by the training part: if the model was trained on others, give "
            "--data PATH:normalise=none, or unit for bytes as 0..1"
        )
