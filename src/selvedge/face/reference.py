"""The same training by PyTorch, without a limit: every parameter, norms live, the same epochs, rates and samples."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn
from torch.nn import functional as F

from ..artifact.preprocess import Preprocess
from ..capture.optimizer import SGD, Adam, Optimizer, RMSProp
from ..data import Dataset, Part
from ..learn.metrics import Score, scored
from .job import Job, schedule

LEAST = 8  # samples a step at least: norms are live here


@dataclass(frozen=True, slots=True)
class Reference:
    """``test``: of the best epoch by validation. ``validation``: by epoch. ``step_s``: the median step."""

    test: Score
    validation: tuple[Score, ...]
    step_s: float


def reference(
    job: Job, optimizer: Optimizer, how: str, epochs: int, batch: int, seed: int, kind: str,
    at: Callable[[int, str], None] = lambda done, says: None,
) -> Reference | None:  # fmt: skip
    """None for an exported program, which cannot be trained, and for an optimiser that PyTorch does not have.
    kind: the loss's class name."""
    if not isinstance(job.model, nn.Module) or type(optimizer) not in OPTIMIZERS:
        return None
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # the native code has one
    try:
        with torch.random.fork_rng(devices=[]):  # dropout
            torch.manual_seed(seed)
            return _trained(copy.deepcopy(job.model), job, optimizer, how, epochs, max(batch, LEAST), seed, kind, at)
    finally:
        torch.set_num_threads(threads)


def _trained(
    model: nn.Module, job: Job, optimizer: Optimizer, how: str, epochs: int, batch: int, seed: int, kind: str,
    at: Callable[[int, str], None],
) -> Reference:  # fmt: skip
    data = job.data
    train, validation = data.part("train"), _validation(data)
    batch = min(batch, len(train))
    batches = len(train) // batch
    rates = schedule(how, optimizer.lr, epochs * batches)
    updates = OPTIMIZERS[type(optimizer)](optimizer, [p for p in model.parameters() if p.requires_grad])
    found: list[Score] = []
    times: list[float] = []
    best: dict[str, torch.Tensor] = {}

    def predicted(x: npt.NDArray[Any]) -> npt.NDArray[Any]:
        model.eval()
        with torch.no_grad():
            return np.asarray(_output(model, x, data.preprocess).numpy())

    for epoch in range(epochs):
        at(epoch, f"epoch {epoch + 1}/{epochs}")
        model.train()
        order = np.random.default_rng([seed, epoch]).permutation(len(train))
        for i in range(batches):
            x, y = train.take(order[i * batch : (i + 1) * batch])
            updates.param_groups[0]["lr"] = rates.lr(epoch * batches + i)
            start = time.perf_counter()
            loss = _loss(kind, _output(model, x, data.preprocess), x, y, data.preprocess)
            updates.zero_grad()
            loss.backward()
            bound = getattr(optimizer, "clip_value", None)
            if bound is not None:
                nn.utils.clip_grad_value_(model.parameters(), bound)
            updates.step()
            times.append(time.perf_counter() - start)
        score = scored(kind, predicted, validation, data.preprocess)
        if not best or score.better(max_score(found)):
            best = copy.deepcopy(model.state_dict())
        found.append(score)
    model.load_state_dict(best)
    test = data.part("test") if len(data.split["test"]) else validation
    return Reference(scored(kind, predicted, test, data.preprocess), tuple(found), float(np.median(times)))


def max_score(scores: list[Score]) -> Score | None:
    """The best of ``scores``."""
    best: Score | None = None
    for score in scores:
        best = score if score.better(best) else best
    return best


def _validation(data: Dataset) -> Part:
    return data.part("validation") if len(data.split["validation"]) else data.part("train")


def _output(model: nn.Module, x: npt.NDArray[Any], preprocess: Preprocess | None) -> torch.Tensor:
    given = model(torch.from_numpy(np.ascontiguousarray(_numbers(x, preprocess), np.float32)))
    first: torch.Tensor = given[0] if isinstance(given, tuple | list) else given
    return first


def _numbers(x: npt.NDArray[Any], preprocess: Preprocess | None) -> npt.NDArray[Any]:
    return preprocess(x) if preprocess is not None and x.dtype == np.uint8 else x


def _loss(
    kind: str, output: torch.Tensor, x: npt.NDArray[Any], y: npt.NDArray[Any] | None, preprocess: Preprocess | None
) -> torch.Tensor:
    if kind == "Reconstruction" or y is None:
        return F.mse_loss(output, torch.from_numpy(np.asarray(_numbers(x, preprocess), np.float32)))
    if kind == "CrossEntropy":
        return F.cross_entropy(output, torch.from_numpy(y).long())
    target = torch.from_numpy(np.asarray(y, np.float32)).reshape(output.shape)
    return F.mse_loss(output, target) if kind == "MSE" else F.binary_cross_entropy_with_logits(output, target)


def _sgd(of: SGD, chosen: list[nn.Parameter]) -> torch.optim.Optimizer:
    return torch.optim.SGD(chosen, of.lr, of.momentum, of.dampening, of.weight_decay, nesterov=of.nesterov)


def _adam(of: Adam, chosen: list[nn.Parameter]) -> torch.optim.Optimizer:
    kind = torch.optim.AdamW if of.decoupled else torch.optim.Adam
    return kind(chosen, of.lr, of.betas, of.eps, of.weight_decay)


def _rmsprop(of: RMSProp, chosen: list[nn.Parameter]) -> torch.optim.Optimizer:
    return torch.optim.RMSprop(chosen, of.lr, of.alpha, of.eps, of.weight_decay, of.momentum)


# What PyTorch's own training is set up with; an optimiser that is not here has no such row beside it.
OPTIMIZERS: dict[type, Callable[[Any, list[nn.Parameter]], torch.optim.Optimizer]] = {
    SGD: _sgd,
    Adam: _adam,
    RMSProp: _rmsprop,
}
