"""What a single weight is worth: one row a criterion."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import nn

from ...errors import InvalidInput
from ..prune.criterion import Progress
from ..prune.data import Batch, Loss, single


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


def weight(model: nn.Module, layer: str) -> nn.Parameter:
    found = model.get_submodule(layer).weight
    assert isinstance(found, nn.Parameter)
    return found


def _magnitude(subject: Subject) -> dict[str, torch.Tensor]:
    return {n: weight(subject.model, n).detach().double().abs() for n in subject.layers}


def _random(subject: Subject) -> dict[str, torch.Tensor]:
    return {
        n: torch.rand(weight(subject.model, n).shape, generator=subject.random, dtype=torch.float64)
        for n in subject.layers
    }


def _taylor(subject: Subject) -> dict[str, torch.Tensor]:
    total = sum(len(y) for _, y in subject.batches)
    found = {n: torch.zeros_like(weight(subject.model, n), dtype=torch.float64) for n in subject.layers}
    for gradients, count in _gradients(subject, subject.batches, "taylor"):
        for name, gradient in gradients.items():
            found[name] += count / total * (gradient * weight(subject.model, name).detach().double()) ** 2
    return found


def _fisher(subject: Subject) -> dict[str, torch.Tensor]:
    samples = [one for batch in subject.batches for one in single(batch)]
    found = {n: torch.zeros_like(weight(subject.model, n), dtype=torch.float64) for n in subject.layers}
    for gradients, _ in _gradients(subject, samples, "hessian"):
        for name, gradient in gradients.items():
            found[name] += gradient**2 / len(samples)
    return {n: f * weight(subject.model, n).detach().double() ** 2 / 2 for n, f in found.items()}


def _gradients(subject: Subject, batches: Sequence[Batch], name: str) -> Iterator[tuple[dict[str, torch.Tensor], int]]:
    """(layer -> gradient of its weight, samples) for each batch; in eval mode, on a copy."""
    model = copy.deepcopy(subject.model).eval()
    for parameter in model.parameters():
        parameter.requires_grad_(True)
    for done, (x, y) in enumerate(batches):
        subject.on_progress(done, len(batches), name)
        model.zero_grad(set_to_none=True)
        value = subject.loss(model, x, y)
        if not isinstance(value, torch.Tensor) or value.numel() != 1 or not value.requires_grad:
            raise InvalidInput("loss", "no number with a gradient", "give loss(model, x, y) -> a scalar tensor")
        value.backward()
        made = {}
        for layer in subject.layers:
            own = weight(model, layer)
            made[layer] = torch.zeros_like(own) if own.grad is None else own.grad
            if not bool(torch.isfinite(made[layer]).all()):
                fix = f"the loss is {float(value.detach()):g} there: look at the samples and the targets"
                raise InvalidInput(f"gradient of {layer}", f"not finite in batch {done}", fix)
        yield {n: g.double() for n, g in made.items()}, len(y)


CRITERIA: Mapping[str, Criterion] = {
    "magnitude": Criterion("|w| (Han et al., arXiv:1506.02626)", _magnitude),
    "taylor": Criterion("mean over batches of (g w)^2 (Molchanov et al., arXiv:1906.10771, eq. 8)", _taylor, data=True),
    "hessian": Criterion(
        "F w^2 / 2, F the mean over samples of g^2 (Theis et al., arXiv:1801.05787, eq. 6)", _fisher, data=True
    ),
    "random": Criterion("uniform in 0..1: the control", _random),
}
