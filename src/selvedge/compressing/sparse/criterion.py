"""What a single weight is worth: one row a criterion."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import nn

from ..gradients import Progress, gradients, weight
from ..targets import Batch, Loss, single


@dataclass(frozen=True, slots=True)
class Subject:
    """What is judged: the weights of ``layers`` of ``model``; ``batches`` and ``loss`` where there are data."""

    model: nn.Module
    layers: Sequence[str]
    batches: Sequence[Batch]
    loss: Loss
    random: torch.Generator
    on_progress: Progress


@dataclass(frozen=True, slots=True)
class Criterion:
    """``says``: the formula and its source. ``data``: whether it needs samples."""

    says: str
    score: Callable[[Subject], dict[str, torch.Tensor]]
    data: bool = False


def scores(name: str, subject: Subject) -> dict[str, torch.Tensor]:
    """Layer -> float64 of the shape of its weight: what is smallest goes."""
    return CRITERIA[name].score(subject)


def _magnitude(subject: Subject) -> dict[str, torch.Tensor]:
    return {n: weight(subject.model.get_submodule(n)).detach().double().abs() for n in subject.layers}


def _random(subject: Subject) -> dict[str, torch.Tensor]:
    return {
        n: torch.rand(weight(subject.model.get_submodule(n)).shape, generator=subject.random, dtype=torch.float64)
        for n in subject.layers
    }


def _taylor(subject: Subject) -> dict[str, torch.Tensor]:
    total = sum(len(y) for _, y in subject.batches)
    found = {n: torch.zeros_like(weight(subject.model.get_submodule(n)), dtype=torch.float64) for n in subject.layers}
    for layers, count in _gradients(subject, subject.batches, "taylor"):
        for name, module in layers.items():
            found[name] += count / total * (_gradient(module) * weight(module).detach().double()) ** 2
    return found


def _fisher(subject: Subject) -> dict[str, torch.Tensor]:
    samples = [one for batch in subject.batches for one in single(batch)]
    found = {n: torch.zeros_like(weight(subject.model.get_submodule(n)), dtype=torch.float64) for n in subject.layers}
    for layers, _ in _gradients(subject, samples, "hessian"):
        for name, module in layers.items():
            found[name] += _gradient(module) ** 2 / len(samples)
    return {n: f * weight(subject.model.get_submodule(n)).detach().double() ** 2 / 2 for n, f in found.items()}


def _gradients(subject: Subject, batches: Sequence[Batch], name: str) -> Iterator[tuple[dict[str, nn.Module], int]]:
    return gradients(subject.model, subject.layers, batches, subject.loss, subject.on_progress, name)


def _gradient(module: nn.Module) -> torch.Tensor:
    found = weight(module).grad
    assert found is not None
    return found.double()


CRITERIA: Mapping[str, Criterion] = {
    "magnitude": Criterion("|w| (Han et al., arXiv:1506.02626)", _magnitude),
    "taylor": Criterion("mean over batches of (g w)^2 (Molchanov et al., arXiv:1906.10771, eq. 8)", _taylor, data=True),
    "hessian": Criterion(
        "F w^2 / 2, F the mean over samples of g^2 (Theis et al., arXiv:1801.05787, eq. 6)", _fisher, data=True
    ),
    "random": Criterion("uniform in 0..1: the control", _random),
}
