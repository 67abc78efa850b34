"""What a channel is worth: one row a criterion.

Scores are of atoms. ``out`` and ``in`` below are the weights of the layers that make the atom's channels and of those
that read them. Where the reading weights are zero the network is the pruned one, exactly: what is said of the loss is
said of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import nn

from ..gradients import Progress, gradients, weight
from ..targets import Batch, Loss, single
from .groups import IN, OUT, THROUGH, Group
from .kinds import NORMS, axes, by_input, by_output


@dataclass(frozen=True, slots=True)
class Subject:
    """What is judged: ``groups`` of ``model``; ``batches`` and ``loss`` where there are data."""

    model: nn.Module
    groups: Sequence[Group]
    batches: Sequence[Batch]
    loss: Loss
    random: torch.Generator
    on_progress: Progress = lambda done, total, name: None
    layers: dict[str, nn.Module] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Criterion:
    """``says``: the formula and its source. ``data``: whether it needs samples. ``adds``: whether scores estimate what
    the loss rises by, which adds up over layers; else a score says something within its group only, and is divided by
    the group's mean (``within``), or is compared as it is."""

    says: str
    score: Callable[[Subject], list[torch.Tensor]]
    data: bool = False
    adds: bool = False
    within: bool = False


def scores(name: str, subject: Subject) -> list[torch.Tensor]:
    """[atoms], float64, of every group. NaN where the criterion says nothing of a group."""
    row = CRITERIA[name]
    subject.layers.update(subject.model.named_modules())
    found = [s.double() for s in row.score(subject)]
    if row.within:
        found = [s / s.mean() if float(s.mean()) > 0 else s for s in found]
    return found


def _norm(power: int) -> Callable[[Subject], list[torch.Tensor]]:
    def score(subject: Subject) -> list[torch.Tensor]:
        found = []
        for group in subject.groups:
            total = torch.zeros(group.size, dtype=torch.float64)
            for member in (*group.at(OUT), *group.at(IN)):
                module = subject.layers[member.layer]
                size = weight(module).detach().double().abs() ** power
                axis = axes(module)["weight"].out
                assert axis is not None
                each = by_input(module, size) if member.side == IN else by_output(module, size, axis)
                total += _of_atoms(each, member.index)
            found.append(total ** (1 / power))
        return found

    return score


def _scale(subject: Subject) -> list[torch.Tensor]:
    found = []
    for group in subject.groups:
        norms = [m for m in group.at(THROUGH) if isinstance(subject.layers[m.layer], NORMS)]
        norms = [m for m in norms if subject.layers[m.layer].weight is not None]
        each = [_of_atoms(weight(subject.layers[m.layer]).detach().double().abs(), m.index) for m in norms]
        found.append(torch.stack(each).mean(0) if each else torch.full((group.size,), torch.nan))
    return found


def _random(subject: Subject) -> list[torch.Tensor]:
    return [torch.rand(g.size, generator=subject.random, dtype=torch.float64) for g in subject.groups]


def _taylor(subject: Subject) -> list[torch.Tensor]:
    found = [torch.zeros(g.size, dtype=torch.float64) for g in subject.groups]
    total = sum(len(b[1]) for b in subject.batches)
    for layers, count in _gradients(subject, subject.batches, "taylor"):
        for group, score in zip(subject.groups, found, strict=True):
            score += count / total * _first_order(group, layers) ** 2
    return found


def _fisher(subject: Subject) -> list[torch.Tensor]:
    squares: dict[str, torch.Tensor] = {}
    samples = [one for batch in subject.batches for one in single(batch)]
    for layers, _ in _gradients(subject, samples, "hessian"):
        for name, module in layers.items():
            gradient = weight(module).grad
            assert gradient is not None
            square = gradient.double() ** 2
            squares[name] = squares[name] + square if name in squares else square
    found = []
    for group in subject.groups:
        total = torch.zeros(group.size, dtype=torch.float64)
        for member in group.at(IN):
            module = subject.layers[member.layer]
            each = squares[member.layer] / len(samples) * weight(module).detach().double() ** 2 / 2
            total += _of_atoms(by_input(module, each), member.index)
        found.append(total)
    return found


CRITERIA: Mapping[str, Criterion] = {
    "l1": Criterion("sum |w| over out and in (Li et al., arXiv:1608.08710, over a group)", _norm(1), within=True),
    "l2": Criterion("sqrt(sum w^2) over out and in (Fang et al., arXiv:2301.12900, 3.3)", _norm(2), within=True),
    "taylor": Criterion(
        "mean over batches of (sum g w)^2 over in (Molchanov et al. 2019, arXiv:1906.10771, eq. 8)",
        _taylor, data=True, adds=True,
    ),
    "bn_scale": Criterion("mean |gamma| of the group's batch norms (Liu et al., arXiv:1708.06519)", _scale),
    "hessian": Criterion(
        "sum of F w^2 / 2 over in, F the mean over samples of g^2 (OBD with the empirical Fisher: Wang et al., "
        "arXiv:1905.05934, OBD-C)",
        _fisher, data=True, adds=True,
    ),
    "random": Criterion("uniform in 0..1: the control", _random),
}  # fmt: skip


def _of_atoms(each: torch.Tensor, index: tuple[tuple[int, ...], ...]) -> torch.Tensor:
    return each.double()[torch.tensor(index)].sum(1)


def _first_order(group: Group, layers: Mapping[str, nn.Module]) -> torch.Tensor:
    """[atoms]: sum g w over all weights that read each atom."""
    total = torch.zeros(group.size, dtype=torch.float64)
    for member in group.at(IN):
        own = weight(layers[member.layer])
        assert own.grad is not None
        each = own.detach().double() * own.grad.double()
        total += _of_atoms(by_input(layers[member.layer], each), member.index)
    return total


def _gradients(subject: Subject, batches: Sequence[Batch], name: str) -> Iterator[tuple[dict[str, nn.Module], int]]:
    layers = dict.fromkeys(m.layer for g in subject.groups for m in g.at(IN))
    return gradients(subject.model, layers, batches, subject.loss, subject.on_progress, name)
