"""The work of ``selvedge contribute``: a model and data, measured into a file that a person may edit."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ..capture.optimizer import Optimizer
from ..choose import Contribution
from ..make.contribute import contribution
from .held import held
from .interrupt import Interrupted
from .job import prepare
from .place import writable
from .progress import Work
from .stopping import stopping


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the command line asks for."""

    model: str
    data: str
    method: str
    optimizer: Optimizer
    batch: int
    steps: int
    samples: int
    norms: str
    loss: str | None
    shape: str | None
    out: Path
    seed: int


def contribute(wanted: Wanted, debug: bool) -> Contribution:
    """Raises ``SelvedgeError``, and :class:`Interrupted` with what to do to go on."""
    writable("--out", wanted.out)
    with Work() as work, stopping() as stop:
        with held(debug):
            job = prepare(wanted.model, wanted.data, wanted.shape, wanted.loss, wanted.seed, work)
        work.part("measuring contributions")
        made = contribution(
            job.model, job.data, method=wanted.method, loss=job.loss, optimizer=wanted.optimizer, norms=wanted.norms,
            batch=wanted.batch, steps=wanted.steps, samples=wanted.samples, seed=wanted.seed, file=wanted.out,
            on_progress=lambda done, total, name: work.at(done, f"{name}, {done} of {total}"), stop=stop,
        )  # fmt: skip
    if not made.complete:
        done = f"{len(made.tensors)} of {made.total} tensors are done"
        raise Interrupted(f"interrupted: {done} and kept in {wanted.out}; the same line goes on")
    return made
