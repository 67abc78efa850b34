"""Measuring what each tensor contributes: a model and calibration data -> a plain file for ``update="auto"``."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.export import ExportedProgram

from ..capture.loss import Loss
from ..capture.optimizer import SGD, Adam, Optimizer
from ..capture.part import channels
from ..choose import METHODS, Contribution, Tensor
from ..choose.measure import allocation, batches, first_order, fisher, loss_decrease, shares
from ..data import Dataset
from ..device import Device
from ..errors import InvalidInput
from ..learn.metrics import Arrays, Pair, Samples
from ..run.ports import NotFinite
from .compile import compile as compile_plan
from .plan import Plan
from .plan import plan as make_plan

POINTS = 32  # pieces of the path of an allocation
Progress = Callable[[int, int, str], None]


def contribution(
    model: nn.Module | ExportedProgram,
    data: Dataset | Pair,
    *,
    method: str = "allocation",
    validation: Pair | None = None,
    loss: str | Loss = "cross_entropy",
    optimizer: Optimizer | None = None,
    norms: str = "frozen",
    batch: int = 8,
    steps: int = 100,
    samples: int = 64,
    seed: int = 0,
    device: Device | str | None = None,
    file: str | Path | None = None,
    on_progress: Progress = lambda done, total, name: None,
    stop: Callable[[], bool] = lambda: False,
) -> Contribution:
    """What each trainable tensor of ``model`` contributes on ``data``, for ``plan(..., update="auto", contribution=)``.

    data: a :class:`selvedge.data.Dataset` (its training part teaches, its validation part judges) or arrays (x, y), of
        which every fourth is held out where ``validation`` is not given. No test sample is ever looked at.
    method: "allocation": all tensors learn together for ``steps`` steps, and the loss that the held-out samples lose is
        divided among them, exactly (arXiv:1909.01440); "loss_decrease": each learns alone for ``steps`` steps;
        "fisher": the trace of the empirical Fisher information as the model is, without a step; "first_order": what one
        step of SGD gains to first order, the squared norm of the gradient.
    optimizer: by default ``Adam(lr=1e-3)``, whose steps are of equal size in steep and in flat directions: what a
        tensor contributes is then what there is to gain, not how steep the way begins. At its rate the whole model has
        to learn.
    batch, steps: of the learning; a smaller batch is taken where there are fewer samples.
    samples: held-out samples at most that an allocation looks at; training samples of the other two.
    file: progress is kept there after each tensor that is measured by itself, and a later call goes on from it; the
        scores and choices that a person wrote into it stay. stop: asked before each tensor; what is done is returned.

    Raises ``InvalidInput`` (settings, data, a file of another measurement), and what :func:`plan` raises.
    """
    if method not in METHODS:
        raise InvalidInput("method", method, f"give one of {', '.join(METHODS)}")
    for field, value in (("steps", steps), ("samples", samples), ("batch", batch)):
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            raise InvalidInput(field, value, "give a whole number >= 1")
    if not isinstance(seed, int) or isinstance(seed, bool) or not 0 <= seed < 1 << 63:
        raise InvalidInput("seed", seed, "give a whole number >= 0")
    if not isinstance(file, str | Path | None) or "\0" in str(file):
        raise InvalidInput("file", f"of type {type(file).__name__}", "give the path of a file, as contribution.toml")
    if not callable(on_progress) or not callable(stop):
        raise InvalidInput(
            "stop" if callable(on_progress) else "on_progress", "no function", "give one, or leave it out"
        )
    train, held_out = _parts(data, validation)
    chosen = optimizer or Adam(lr=1e-3)
    x, _ = train.take(np.arange(1))
    preprocess = data.preprocess if isinstance(data, Dataset) else None
    example = torch.from_numpy(np.ascontiguousarray(x, np.float32))

    def planned(optimizer: Optimizer, size: int) -> Plan:
        return make_plan(
            model,
            example,
            loss=loss,
            optimizer=optimizer,
            norms=norms,
            batch=size,
            preprocess=preprocess,
            device=device,
        )

    batch = min(batch, len(train))
    full = planned(chosen, batch)
    of = _identity(full, method, chosen, steps, samples, seed, train, held_out)
    path = None if file is None else Path(file)
    made = Contribution(method, of, len(full.captured.trainable), ())
    if path is not None and path.exists():
        made = Contribution.load(path)
        if made.of != of:
            fix = "it was measured on another model, data or settings: remove it, or name another file"
            raise InvalidInput("contribution file", str(path), fix)
    done = {t.name for t in made.tensors}
    left = [n for n in full.captured.trainable if n not in done]
    rows = batches(len(train), steps, batch, seed)
    if method == "loss_decrease":
        session = compile_plan(full) if left else None
        for i, name in enumerate(left):
            if stop() or session is None:
                return made
            on_progress(made.total - len(left) + i, made.total, name)
            gain = loss_decrease(session, [name], train, held_out, rows, chosen.lr)
            made = made.with_tensor(Tensor(name, full.captured.state[name].nbytes, gain))
            if path is not None:
                made.save(path)
        return made
    if left:
        gradients = compile_plan(planned(SGD(lr=0.0, momentum=1.0), 1))
        on_progress(0, made.total, method)
        some = held_out if method == "allocation" else train
        seen = _Some(some, np.unique(np.linspace(0, len(some) - 1, samples).astype(np.intp)))
        if method != "allocation":
            found = (fisher if method == "fisher" else first_order)(gradients, seen)
        else:
            try:
                found = allocation(compile_plan(full), gradients, train, seen, rows, chosen.lr, POINTS)
            except NotFinite:
                fix = f"the whole model diverges at that rate: give a lower one, as {chosen.lr / 10:.2g}"
                raise InvalidInput("optimizer lr", chosen.lr, fix) from None
        made = replace(made, tensors=(*made.tensors, *_tensors(left, full, found)))
        if path is not None:
            made.save(path)
    return made


def _tensors(names: Sequence[str], full: Plan, found: dict[str, np.ndarray]) -> Iterator[Tensor]:
    """A tensor that the loss does not depend on contributes nothing."""
    captured = full.captured
    cut = channels(captured.graph, names)
    for name in names:
        each, part, size = found.get(name), cut[name], captured.state[name].nbytes
        if each is None:
            yield Tensor(name, size, 0.0)
            continue
        held = () if isinstance(part, str) else shares(each, part.face(captured.layout(name))[0])
        yield Tensor(name, size, max(0.0, float(each.sum())), "open", held)


class _Some:
    """Some of the samples."""

    def __init__(self, samples: Samples, which: np.ndarray) -> None:
        self.samples, self.which = samples, which

    def __len__(self) -> int:
        return len(self.which)

    def take(self, which: np.ndarray) -> tuple[Any, Any]:
        return self.samples.take(self.which[which])


def _parts(data: Dataset | Pair, validation: Pair | None) -> tuple[Samples, Samples]:
    if isinstance(data, Dataset):
        if validation is not None:
            raise InvalidInput("validation", "given", "the data set has a validation part of its own: leave it out")
        if not len(data.split["validation"]):
            raise InvalidInput("data", data.name, "it has no validation samples: give more samples")
        return data.part("train"), data.part("validation")
    if not isinstance(data, tuple) or len(data) != 2:
        raise InvalidInput("data", f"of type {type(data).__name__}", "give a Dataset, or a pair of arrays (x, y)")
    whole = Arrays(np.asarray(data[0]), None if data[1] is None else np.asarray(data[1]))
    if validation is not None:
        made = Arrays(np.asarray(validation[0]), None if validation[1] is None else np.asarray(validation[1]))
        if not len(whole) or not len(made):
            raise InvalidInput("data", "empty", "give at least one sample to learn from and one to judge by")
        return whole, made
    if len(whole) < 4:
        raise InvalidInput("data", f"of {len(whole)} samples", "give at least 4, or validation samples beside them")
    held = np.arange(len(whole)) % 4 == 3
    return _Some(whole, np.flatnonzero(~held)), _Some(whole, np.flatnonzero(held))


def _identity(
    plan: Plan,
    method: str,
    optimizer: Optimizer,
    steps: int,
    samples: int,
    seed: int,
    train: Samples,
    held_out: Samples,
) -> str:
    """What must be the same for a measurement to go on: weights, plan, data and settings."""
    digest = hashlib.sha256(plan.arrangement.digest().encode())
    for name in plan.captured.state:
        digest.update(plan.captured.state[name].tobytes())
    for part in (train, held_out):
        for array in part.take(np.unique(np.linspace(0, len(part) - 1, 64).astype(np.intp))):
            digest.update(b"" if array is None else np.ascontiguousarray(array).tobytes())
        digest.update(str(len(part)).encode())
    settings = [method, type(optimizer).__name__, asdict(optimizer), steps, samples, seed]  # type: ignore[call-overload]
    digest.update(json.dumps(settings).encode())
    return digest.hexdigest()[:16]
