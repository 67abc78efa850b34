"""A model and a data set that belong together, and the plan of training one on the other."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import nn
from torch.export import ExportedProgram

from ..artifact.schedule import Constant, Cosine, InverseSqrt, Schedule, Step
from ..capture.optimizer import SGD, Optimizer
from ..data import Dataset, load, survey
from ..device import Device
from ..errors import DoesNotFit, InvalidInput
from ..make.learnable_onnx import OnnxModule
from ..make.plan import Plan
from ..make.plan import plan as make_plan
from . import model as models
from .calibrate import calibrate
from .progress import Work

BATCHES = (8, 4, 2, 1)  # tried in turn where the user leaves the batch open
TASKS = {"cross_entropy": "classes", "mse": "values", "bce_with_logits": "probabilities", "reconstruction": "none"}


@dataclass(frozen=True, slots=True)
class Job:
    """``example``: one sample's batch. ``calibrated``: samples that gave the norms their statistics (0: they had)."""

    name: str
    model: nn.Module | ExportedProgram
    example: torch.Tensor
    loss: str
    data: Dataset
    calibrated: int

    def notes(self) -> tuple[str, ...]:
        """What was done to data and model."""
        told = f"batch norms had never seen data: {self.calibrated} training samples gave them their statistics"
        return (*self.data.notes, *([told] if self.calibrated else []))


OPTIMIZER, SAMPLES = SGD(lr=0.01, momentum=0.9), 8  # where none is asked for: its rate, for a step of so many samples


@dataclass(frozen=True, slots=True)
class Terms:
    """How to train. ``optimizer``: None for :data:`OPTIMIZER`. ``batch``: None to take the largest that serves.
    ``accumulate``: micro-batches of one step."""

    device: Device
    budget: str | None
    optimizer: Optimizer | None
    schedule: str
    update: str
    norms: str
    batch: int | None
    epochs: int
    accumulate: int = 1
    contribution: Path | None = None
    dropout: int | None = None

    def optimizer_of(self, batch: int) -> Optimizer:
        """What is asked for; else the usual one, its rate in proportion to the samples of a step (Goyal et al.,
        "Accurate, Large Minibatch SGD" (2017), section 2.1): at batch 1 that of 8 samples would diverge."""
        return self.optimizer or replace(OPTIMIZER, lr=OPTIMIZER.lr * batch / SAMPLES)


def prepare(
    model: str, data: str, shape: str | None, loss: str | None, seed: int, work: Work, batch: int | None = None
) -> Job:
    """Look at the data, build the model for it, and read the data as the model takes it. ``batch``: as of
    :func:`.model.load`. Raises ``SelvedgeError``."""
    if not 0 <= seed < 1 << 32:
        raise InvalidInput("--seed", seed, "give a whole number in 0..4294967295")
    work.part("looking at the data")
    source = survey(data)
    learns_classes = loss in (None, "cross_entropy", "bce_with_logits")
    known = models.Known(source.natural, len(source.labels) if learns_classes else 0)
    named = models.load(model, shape, seed, known, batch)
    chosen = loss or named.loss or "cross_entropy"
    if chosen not in TASKS:
        raise InvalidInput("--loss", chosen, f"give one of {', '.join(TASKS)}")
    if len(named.example) != 1:
        raise InvalidInput("model", model, f"it takes {len(named.example)} inputs: data is read for models of one")
    example = named.example[0]
    if example.dtype != torch.float32 or example.ndim < 2:
        raise InvalidInput("example", f"{example.dtype} {list(example.shape)}", "give a float32 batch: [samples, ...]")
    work.part("reading the data")
    outputs = _outputs(named.model, example)
    last = outputs[-1] if outputs else None
    made = load(source, tuple(example.shape[1:]), task=TASKS[chosen], outputs=last, seed=seed)
    _require_classes(made, chosen, outputs, named.name)
    seen = calibrate(named.model, made) if isinstance(named.model, nn.Module) else 0
    return Job(named.name, named.model, example, chosen, made, seen)


def planned(job: Job, terms: Terms, work: Work) -> Plan:
    """The plan of ``job``: with the batch that is asked for, else the largest with which the update is full, else the
    one that learns most. ``work`` shows how many were made on the way. Raises ``SelvedgeError``: where nothing fits,
    the refusal of the smallest batch, without having planned those between: a smaller batch never needs more."""
    own, samples = int(job.example.shape[0]), len(job.data.split["train"])
    if terms.batch is not None and terms.batch > samples:
        raise InvalidInput("--batch", terms.batch, f"{job.data.name} has {samples} training samples: give at most that")
    micro = [own] if own > 1 or _fixed(job) else list(BATCHES)
    open_ = [terms.batch] if terms.batch is not None else [n * max(1, terms.accumulate) for n in micro]
    found: Plan | None = None
    least: Plan | None = None
    work.part("planning")
    for batch in open_:
        try:
            made = least if least is not None and batch == open_[-1] else _plan(job, terms, batch, work)
        except DoesNotFit:
            if batch == open_[-1]:
                raise
            if least is None:
                least = _plan(job, terms, open_[-1], work)
            continue
        if terms.update != "auto" or made.update == "full":
            return made
        if found is None or learns(made) > learns(found):
            found = made
    assert found is not None
    return found


def _plan(job: Job, terms: Terms, batch: int, work: Work) -> Plan:
    data = job.data
    batches = max(1, len(data.split["train"]) // max(1, batch))
    optimizer = terms.optimizer_of(batch)
    return make_plan(
        job.model,
        job.example,
        loss=job.loss,
        device=terms.device,
        budget=terms.budget,
        optimizer=optimizer,
        schedule=schedule(terms.schedule, optimizer.lr, batches * terms.epochs),
        update=terms.update,
        contribution=terms.contribution,
        norms=terms.norms,
        dropout=terms.dropout,
        batch=batch,
        accumulate=terms.accumulate,
        preprocess=data.preprocess,
        features=data.features,
        labels=data.labels,
        name=job.name,
        on_progress=lambda plans: work.at(plans, f"batch {batch}, {plans} made"),
    )


def schedule(name: str, rate: float, steps: int) -> Schedule:
    """A schedule by name, its lengths fitted to ``steps``. Raises ``InvalidInput``."""
    warmup = steps // 20
    made: dict[str, Schedule] = {
        "cosine": Cosine(rate, steps, warmup),
        "constant": Constant(rate),
        "step": Step(rate, max(1, math.ceil(steps / 3)), 0.1),
        "inverse_sqrt": InverseSqrt(rate, max(1, warmup)),
    }
    if name not in made:
        raise InvalidInput("--schedule", name or "empty", f"give one of {', '.join(made)}")
    return made[name]


def learns(plan: Plan) -> int:
    """Bytes of parameters that learn."""
    return sum(plan.programs.learnt(n).bytes for n in plan.programs.updated)


def _fixed(job: Job) -> bool:
    return isinstance(job.model, ExportedProgram | OnnxModule)


def _outputs(model: nn.Module | ExportedProgram, example: torch.Tensor) -> tuple[int, ...]:
    """Shape of the first output; () where the model cannot be run: capturing it will say why."""
    if isinstance(model, ExportedProgram):
        found = [n.meta.get("val") for n in model.graph.nodes if n.op == "output" for n in n.all_input_nodes]
        return tuple(found[0].shape) if found and isinstance(found[0], torch.Tensor) else ()
    model.eval()
    try:
        with torch.no_grad():
            given = model(example)
    except Exception:
        return ()
    first = given[0] if isinstance(given, tuple | list) and given else given
    return tuple(first.shape) if isinstance(first, torch.Tensor) else ()


def _require_classes(data: Dataset, loss: str, outputs: Sequence[int], name: str) -> None:
    """Raise ``InvalidInput`` where the model tells other classes or values apart than the data has."""
    if not outputs or data.y is None:
        return
    if loss == "cross_entropy" and len(outputs) > 1 and outputs[1] != len(data.labels):
        have = len(data.labels)
        fix = f"{data.name} has {have}: make the last layer {have} wide, or give the factory a parameter classes"
        told = f"{outputs[1]} class{'' if outputs[1] == 1 else 'es'}"
        raise InvalidInput("model", name, f"it tells {told} apart, {fix}")
    if loss in ("mse", "bce_with_logits") and math.prod(outputs[1:]) != math.prod(data.y.shape[1:]):
        fix = f"make the last layer {math.prod(data.y.shape[1:])} wide"
        raise InvalidInput(
            "model", name, f"its output is {list(outputs[1:])}, a target {list(data.y.shape[1:])}: {fix}"
        )
