"""The work of ``selvedge sparsify``: a trained model and data -> zeros among its weights, beside dense in native
code."""

from __future__ import annotations

import io
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from ..artifact import files
from ..compressing.sparse import Sparsified
from ..compressing.sparse import sparsify as once
from ..device import Device
from ..device.profile import THIS_MACHINE
from ..errors import InvalidInput, NotSupported
from ..learn.metrics import Score, scored
from ..make.compile import compile as compile_plan
from ..make.compile import emit
from ..make.inference import Inference, plan_inference
from ..make.repeated import Repeated
from ..make.room import roomy
from ..make.sparse import SparseLayer
from ..make.weighing.losses import KINDS
from .beside import Native, Row, numbers, table, unseen
from .figures import seconds
from .held import held
from .interrupt import resumable
from .job import Job, prepare
from .progress import Work
from .sparse_training import Course, trained

ROUNDS, TURN = 41, 0.003  # turns of each while they are timed; seconds of one


@dataclass(frozen=True, slots=True)
class Order:
    """What was asked for. ``settings``: of :class:`selvedge.Sparsifier`. ``epochs``: of training, over all steps.
    ``how``: the plan's choice of kernels. ``work``: a folder that keeps the training. ``out``: a .pt file of the
    state dict, or a folder for the device's C."""

    model: str
    data: str
    device: str
    budget: str | None
    loss: str | None
    shape: str | None
    settings: dict[str, Any]
    epochs: int
    rate: float
    how: str
    work: Path | None
    out: Path | None
    seed: int


@dataclass(frozen=True, slots=True)
class Timed(Row):
    """With the quartiles of its ``seconds`` where they were measured."""

    quartiles: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True)
class Sparsifying:
    """``here``: times are measured. ``layers``: those with zeros, and which kernel each runs by."""

    name: str
    device: str
    rows: tuple[Timed, Timed]
    made: Sparsified
    layers: tuple[SparseLayer, ...]
    tested: int
    epochs: int
    here: bool
    notes: tuple[str, ...]
    out: Path | None

    @property
    def speedup(self) -> float | None:
        """How many times as fast as dense."""
        dense, sparse = (row.seconds for row in self.rows)
        return dense / sparse if dense and sparse else None

    def to_dict(self) -> dict[str, Any]:
        """The figures, for machines."""
        return {
            "model": self.name,
            "device": self.device,
            "pattern": self.made.pattern,
            "sparsity": self.made.sparsity,
            "finetune_epochs": self.epochs,
            "test_samples": self.tested,
            "rows": [asdict(row) for row in self.rows],
            "seconds_are": "measured here" if self.here else "planned",
            "speedup": self.speedup,
            "layers": [layer.to_dict() for layer in self.layers],
            "held": dict(self.made.held),
            "notes": list(self.notes),
            "out": None if self.out is None else str(self.out),
        }

    def __str__(self) -> str:
        trained = f", {self.epochs} epochs of training" if self.epochs else ""
        lines = [f"{self.name} on {self.device}: {self.made.pattern}, {self.made.sparsity:.1%} zeros{trained}", ""]
        lines += table(self.rows)
        lines.append("times are " + ("measured on this machine" if self.here else "planned for the device"))
        if self.speedup is not None:
            lines.append(f"sparse is {'faster' if self.speedup > 1 else 'SLOWER'}: x {self.speedup:.2f}")
        lines += ["", *map(str, self.layers), *(f"{name}: held, it {why}" for name, why in self.made.held.items())]
        lines += [f"note: {note}" for note in self.notes]
        if self.out is not None:
            lines.append(f"\nwritten to {self.out}")
        return "\n".join(lines)


def sparsify(order: Order, debug: bool) -> Sparsifying:
    """Raises ``SelvedgeError`` before anything but ``order.work`` is written, with "for_speed" also where it turns out
    no faster; and :class:`.interrupt.Interrupted` with how to go on."""
    with resumable(order.work, "each finished epoch is"):
        return _sparsified(order, debug)


def _sparsified(order: Order, debug: bool) -> Sparsifying:
    with Work() as work, held(debug):
        job = prepare(order.model, order.data, order.shape, order.loss, order.seed, work)
        if not isinstance(job.model, nn.Module):
            raise InvalidInput("model", order.model, "an exported program is not trained: give file.py:factory")
        model, test, example = job.model.eval(), unseen(job), job.example[:1]
        device = Device.load(order.device)
        work.part("judging the pattern")
        _worthwhile(order, job, model, device)  # refused before it is trained for long
        course = Course(order.settings, order.epochs, order.rate, order.seed, order.work)
        made = trained(model, job, course, work)
        work.part("planning")
        plans = {
            "dense": plan_inference(model, example, name=job.name, device=roomy(device), sparse="never"),
            "sparse": plan_inference(
                made.model, example, name=job.name, device=device, budget=order.budget, sparse=order.how
            ),
        }
        scores = {}
        for name, plan in plans.items():
            work.part(f"running {name}", len(test))
            native = Native(plan, compile_plan(plan), job.data.preprocess, work)
            scores[name] = scored(KINDS[job.loss], native.predicted, test, job.data.preprocess)
        here = order.device == THIS_MACHINE
        work.part("timing")
        times = _timed(plans, numbers(job, test, 1, 0)) if here else {}
        rows = tuple(_row(name, plan, scores[name], times.get(name)) for name, plan in plans.items())
        found = Sparsifying(
            job.name, device.name, (rows[0], rows[1]), made, plans["sparse"].sparse, len(test), order.epochs, here,
            job.notes(), order.out,
        )  # fmt: skip
        if order.how == "for_speed" and here and (found.speedup or 0) <= 1:
            raise _slower(found)
        if order.out is not None:
            work.part("writing")
            _write(order.out, made, plans["sparse"])
    return found


def _worthwhile(order: Order, job: Job, model: nn.Module, device: Device) -> None:
    """Raise where the zeros, wherever training moves them, are not expected to be worth it."""
    if order.how == "auto":
        return
    settings = {k: v for k, v in order.settings.items() if k in ("sparsity", "pattern", "rank", "keep")}
    plan_inference(once(model, **settings).model, job.example[:1], device=roomy(device), sparse=order.how)


def _timed(plans: Mapping[str, Inference], x: npt.NDArray[Any]) -> dict[str, npt.NDArray[np.float64]]:
    """Seconds of processor time of a prediction, in turns."""
    codes = {name: Repeated(plan.arrangement, plan.name) for name, plan in plans.items()}
    for name, code in codes.items():
        for port, to in code.inputs.items():
            to[...] = plans[name].network.layout(port).store(np.asarray(x, np.float32)).reshape(to.shape)
    times = {name: code.seconds(TURN)[0] for name, code in codes.items()}
    found: dict[str, list[float]] = {name: [] for name in codes}
    for _ in range(ROUNDS):
        for name, code in codes.items():
            start = time.process_time()
            code(times[name])
            found[name].append((time.process_time() - start) / times[name])
    return {name: np.array(took) for name, took in found.items()}


def _row(name: str, plan: Inference, score: Score, took: npt.NDArray[np.float64] | None) -> Timed:
    if took is None:
        return Timed(name, score, plan.weights_bytes, plan.arena_bytes, plan.cost.seconds)
    low, median, high = map(float, np.quantile(took, [0.25, 0.5, 0.75]))
    return Timed(name, score, plan.weights_bytes, plan.arena_bytes, median, (low, high))


def _slower(found: Sparsifying) -> NotSupported:
    dense, sparse = (seconds(row.seconds) for row in found.rows)
    best = max((layer for layer in found.layers if layer.taken), key=lambda layer: layer.speedup)
    fix = (
        f"at {found.made.sparsity:.1%} zeros it takes {sparse} here, dense {dense}, though {best.layer} was expected "
        f"to be x {best.speedup:.2f} as fast: give a higher --sparsity, or leave --for-speed out"
    )
    return NotSupported("--for-speed", "", fix)


def _write(out: Path, made: Sparsified, plan: Inference) -> None:
    if out.suffix.lower() == ".pt":
        with io.BytesIO() as buffer:
            torch.save(made.model.state_dict(), buffer)
            files.write(out, buffer.getvalue())
    else:
        emit(plan, "c", out)
