"""Pruning in steps, with training between them, and in one."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import nn

from ...errors import InvalidInput, NotSupported
from ..given import count
from ..gradients import Progress
from ..steps import settings, silent, trained
from ..targets import Loss
from . import given
from .choose import by_layer, globally
from .cost import allowed, costs, least, named, shares, totals
from .criterion import CRITERIA, Subject, scores
from .cut import cut, kept
from .groups import Found, find
from .proof import holds, proven
from .pruned import Pruned
from .widths import Widths


class Pruner:
    """Cuts ``model`` down to ``target`` in steps; the body of the loop trains it between them.

        pruner = sv.Pruner(model, example, {"macs": 0.4}, steps=5, criterion="taylor", data=(x, y))
        for step in pruner:
            optimizer = torch.optim.Adam(pruner.model.parameters())     # a new one: the shapes have changed
            ...                                                         # train pruner.model
        pruner.widths.save("widths.json")

    model: trained, in float32; it is left as it was, ``pruner.model`` is a copy that each step cuts in place.
    example: an input [n, ...] of the model, or a tuple of several.
    target: shares that may stay, of "macs", "parameters", "bytes" (of the state dict), "channels"; of several all hold.
    steps, schedule: in how many cuts; "linear" cuts as much in each, "cubic" more in the first.
    criterion: "l1", "l2", "taylor", "bn_scale", "hessian", "random"; data: (x, y) or batches of them, where it needs
        them; loss: loss(model, x, y) -> scalar, by default cross-entropy of class numbers.
    rank: "global" compares channels of all layers; "layer" takes the same share of each.
    multiple, least: widths become multiples of ``multiple``, the vector width of the target, and never smaller than
        ``least``, by default ``multiple``. keep: layers (names or globs) whose output channels stay.
    seed: of the random criterion and of what proves a cut. on_progress: is told (done, total, of what).

    Channels that hang together - by a sum, a product, a concatenation, a depthwise layer - go together; inputs, and
    what the model gives, stay. Every cut is proven on ``example``: it computes what the uncut model does whose weights
    that read the channels are zero. Raises :class:`InvalidInput`, and :class:`NotSupported` for a model in which
    nothing can be cut.
    """

    def __init__(
        self,
        model: nn.Module,
        example: Any,
        target: Mapping[str, float],
        *,
        steps: int = 1,
        schedule: str = "linear",
        criterion: str = "l2",
        data: Any = None,
        loss: Loss | None = None,
        rank: str = "global",
        multiple: int = 8,
        least: int | None = None,
        keep: Sequence[str] = (),
        seed: int = 0,
        on_progress: Progress = silent,
    ) -> None:
        given.model(model)
        self.target = given.target(target)
        self._settings = settings(
            model, CRITERIA, steps=steps, schedule=schedule, criterion=criterion, data=data, loss=loss, rank=rank,
            keep=keep, seed=seed, on_progress=on_progress,
        )  # fmt: skip
        self.steps = self._settings.count
        self.multiple = count("multiple", multiple)
        self.least = self.multiple if least is None else count("least", least)
        self._example = given.example(model, example)
        self._random = torch.Generator().manual_seed(seed)
        self.model = copy.deepcopy(model)
        self.done = 0
        self._found = self._groups()
        self._costs = costs(self.model, self._example)
        self._start = self._costs.total(self._costs.sizes)
        self._reachable()

    @property
    def widths(self) -> Widths:
        """Of ``model`` as it is now."""
        return Widths.of(self.model)

    @property
    def held(self) -> Mapping[str, str]:
        """Layer -> why its output channels are not cut."""
        return self._found.held

    @property
    def share(self) -> dict[str, float]:
        """What is left of the whole model's macs, parameters, bytes and channels."""
        return shares(totals(self.model, self._example), self._start)

    def __iter__(self) -> Iterator[Pruned]:
        """Cut, and hand out, the steps that are left."""
        while self.done < self.steps:
            yield self.step()

    def step(self) -> Pruned:
        """The next cut."""
        left = self._settings.left(self.done)
        if self.done:
            given.model(self.model)  # it was trained since: it may have diverged
            self._found = self._groups()
            self._costs = costs(self.model, self._example)
        wanted = {k: v + (1 - v) * left for k, v in self.target.items()}
        atoms = self._chosen(wanted)
        found, before = self._found, self._costs.total(self._costs.sizes)
        if not holds(self.model, self._example, found.groups, atoms):
            names = ", ".join(g.name for g, a in zip(found.groups, atoms, strict=True) if a)
            raise NotSupported(f"cutting {names} together", "", "the model computes otherwise then: keep some of them")
        stays = kept(self.model, found.groups, atoms)
        indices = cut(self.model, stays)
        self.done += 1
        after = totals(self.model, self._example)
        return Pruned(
            self.model, self.widths, named(before), named(after), shares(after, self._start), stays, dict(found.held),
            self.done, self.steps, indices,
        )  # fmt: skip

    def run(
        self,
        train_epoch: Callable[[nn.Module], object],
        epochs: int = 1,
        *,
        on_progress: Progress | None = None,
    ) -> nn.Module:
        """Every step that is left, and ``epochs`` calls of ``train_epoch(model)`` behind each; the model, in eval mode.

        ``train_epoch`` trains one epoch, with whatever loss it likes (that of a teacher, say), and makes its optimiser
        anew, or keeps one and calls ``carry`` of the step. on_progress: is told (epochs done, in all, "epoch").
        """
        tell = self._settings.progress if on_progress is None else on_progress
        return trained(self, self.model, self.steps - self.done, train_epoch, epochs, tell)

    def _groups(self) -> Found:
        own = self._settings
        found = proven(self.model, self._example, find(self.model, self._example, own.keep, own.seed), own.seed)
        if not found.groups:
            said = "; ".join(f"{n} {why}" for n, why in list(found.held.items())[:3])
            said = said or "it has no convolution or linear layer"
            raise NotSupported("pruning this model", "", f"no channels can be cut: {said}")
        if own.criterion == "bn_scale":
            found = _normed(self.model, found)
        return found

    def _widths(self) -> list[tuple[int, ...]]:
        return [allowed(self._costs, g, self.multiple, self.least) for g in self._found.groups]

    def _reachable(self) -> None:
        """Refuse a target that no widths meet."""
        end = shares(least(self._found.groups, self._costs, self._widths()), self._start)
        for name, wanted in self.target.items():
            if wanted < end[name]:
                up = math.ceil(end[name] * 1000) / 1000
                give = f"{up:g} or more, or a smaller multiple=" if up < 1 else "a smaller multiple= or least="
                fix = f"the least is {end[name]:.1%} with widths of {self.least} or more in steps of {self.multiple}"
                fix += f": give {give}"
                raise InvalidInput(f"target of {name}", wanted, fix)

    def _chosen(self, wanted: Mapping[str, float]) -> list[list[int]]:
        """The atoms of each group that go: those that score least."""
        groups, widths, own = self._found.groups, self._widths(), self._settings
        subject = Subject(self.model, groups, own.batches, own.loss, self._random, own.progress)
        each = scores(own.criterion, subject)
        if own.rank == "layer":
            counts = by_layer(groups, self._costs, widths, self._start, wanted)
        else:
            adds = CRITERIA[own.criterion].adds
            counts = globally(groups, each, self._costs, widths, self._start, wanted, adds)
        ranked = [torch.sort(s, stable=True)[1].tolist() for s in each]
        return [sorted(r[: g.size - k]) for r, g, k in zip(ranked, groups, counts, strict=True)]


def prune(
    model: nn.Module,
    example: Any,
    target: Mapping[str, float],
    *,
    criterion: str = "l2",
    data: Any = None,
    loss: Loss | None = None,
    rank: str = "global",
    multiple: int = 8,
    least: int | None = None,
    keep: Sequence[str] = (),
    seed: int = 0,
    on_progress: Progress = silent,
) -> Pruned:
    """``model`` with channels cut away until ``target`` is met, in one cut, not trained again.

        small = sv.prune(model, x[:1], {"macs": 0.5}, criterion="taylor", data=(x, y))
        small.widths.save("widths.json")
        torch.save(small.model.state_dict(), "state.pt")

    The settings, what is refused, and what is proven are those of :class:`selvedge.Pruner`, which cuts in steps.
    """
    pruner = Pruner(
        model, example, target, criterion=criterion, data=data, loss=loss, rank=rank, multiple=multiple, least=least,
        keep=keep, seed=seed, on_progress=on_progress,
    )  # fmt: skip
    return pruner.step()


def _normed(model: nn.Module, found: Found) -> Found:
    """The groups that have a batch norm with a scale; the others are held."""
    layers = dict(model.named_modules())

    def has(name: str) -> bool:
        return isinstance(layers[name], nn.modules.batchnorm._BatchNorm) and layers[name].weight is not None

    good, held = [], dict(found.held)
    for group in found.groups:
        if any(has(m.layer) for m in group.at("through")):
            good.append(group)
        else:
            held.update({m.layer: "has no batch norm, whose scale bn_scale reads" for m in group.at("out")})
    if not good:
        raise InvalidInput("criterion", "bn_scale", "the model has no batch norm with a scale: take l2 or taylor")
    return Found(tuple(good), held)
