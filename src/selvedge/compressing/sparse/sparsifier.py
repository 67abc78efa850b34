"""Zeros in steps, with training between them in which they stay zero, and in one."""

from __future__ import annotations

import copy
import fnmatch
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import nn

from ...errors import InvalidInput
from ..given import names
from ..gradients import Progress, weight
from ..prune import given
from ..steps import settings, silent, trained
from ..targets import Loss
from .criterion import CRITERIA, Subject, scores
from .layers import find, zeros
from .pattern import Pattern, largest_of, smallest
from .sparsified import Sparsified


class Sparsifier:
    """Sets weights of ``model`` to zero in steps; the body of the loop trains the others between them.

        sparsifier = sv.Sparsifier(model, 0.9, steps=5)
        optimizer = torch.optim.Adam(sparsifier.model.parameters())     # may be kept: no shape changes
        for step in sparsifier:
            ...                                                         # train sparsifier.model
        made = sparsifier.finish()

    model: trained, in float32; it is left as it was, ``sparsifier.model`` is a copy.
    sparsity: the share of zeros in the end; of a pattern N:M it is 1 - N/M and may be left out.
    pattern: "unstructured", or N:M: of every M neighbouring inputs of an output at most N are not zero.
    steps, schedule: in how many; "linear", or "cubic", which takes more in the first.
    criterion: "magnitude", "taylor", "hessian", "random"; data: (x, y) or batches of them, where it needs them; loss:
        loss(model, x, y) -> scalar, by default cross-entropy of class numbers.
    rank: "layer" takes the same share of every layer; "global" compares weights of all, of no N:M pattern.
    layers, keep: names or globs of the layers that alone get zeros; that get none.
    seed: of the random criterion. on_progress: is told (done, total, of what).

    Until :meth:`finish` hooks hold the zeros: gradients are zero there, and what an optimiser does to them all the same
    is taken back before a layer computes. Biases and norms stay, and grouped and depthwise convolutions, for which
    there is no sparse kernel. Raises :class:`InvalidInput`, and :class:`NotSupported` for a model without such layers.
    """

    def __init__(
        self,
        model: nn.Module,
        sparsity: float | None = None,
        *,
        pattern: str = "unstructured",
        steps: int = 1,
        schedule: str = "cubic",
        criterion: str = "magnitude",
        data: Any = None,
        loss: Loss | None = None,
        rank: str = "layer",
        layers: Sequence[str] | None = None,
        keep: Sequence[str] = (),
        seed: int = 0,
        on_progress: Progress = silent,
    ) -> None:
        given.model(model)
        self.pattern = Pattern.parse(pattern)
        self.sparsity = self.pattern.share(sparsity)
        own = self._settings = settings(
            model, CRITERIA, steps=steps, schedule=schedule, criterion=criterion, data=data, loss=loss, rank=rank,
            keep=keep, seed=seed, on_progress=on_progress,
        )  # fmt: skip
        self.steps = own.count
        if self.pattern.m and rank == "global":
            raise InvalidInput("rank", rank, f"{self.pattern} takes the same share of every layer: leave it out")
        only = None if layers is None else names("layers", model, layers, fnmatch.fnmatchcase)
        self._random = torch.Generator().manual_seed(seed)
        self.model = copy.deepcopy(model)
        self._found = find(self.model, self.pattern, only, own.keep)
        self.masks: dict[str, torch.Tensor] = {}
        self._hooks: list[torch.utils.hooks.RemovableHandle] = []
        self.done = 0
        self._leaves_something()

    @property
    def held(self) -> dict[str, str]:
        """Layer -> why it stays as it is."""
        return self._found.held

    def __iter__(self) -> Iterator[Sparsified]:
        """Set, and hand out, the steps that are left."""
        while self.done < self.steps:
            yield self.step()

    def step(self) -> Sparsified:
        """The next step: more zeros, none fewer."""
        own, share = self._settings, self.sparsity * (1 - self._settings.left(self.done))
        self._hold()
        subject = Subject(self.model, self._found.names, own.batches, own.loss, self._random, own.progress)
        each = scores(own.criterion, subject)
        for name, mask in self.masks.items():  # what is zero stays so
            each[name][~mask] = -1.0
        self.masks = self._chosen(each, share)
        self.done += 1
        if not self._hooks:
            self._hook()
        return self._made()

    def run(
        self, train_epoch: Callable[[nn.Module], object], epochs: int = 1, *, on_progress: Progress | None = None
    ) -> Sparsified:
        """Every step that is left, and ``epochs`` calls of ``train_epoch(model)`` behind each; finished, in eval mode.

        on_progress: is told (epochs done, in all, "epoch").
        """
        tell = self._settings.progress if on_progress is None else on_progress
        trained(self, self.model, self.steps - self.done, train_epoch, epochs, tell)
        return self.finish()

    def finish(self) -> Sparsified:
        """The module without the hooks that held its zeros."""
        if not self.done:
            raise InvalidInput("steps", "none done", "take a step() before finish()")
        for hook in self._hooks:
            hook.remove()
        self._hooks.clear()
        return self._made()

    def state_dict(self) -> dict[str, torch.Tensor]:
        """All that another Sparsifier of the same settings needs to go on here: the model, what is held, how far.
        Tensors are copies."""
        self._hold()
        made = {f"model/{n}": t for n, t in self.model.state_dict().items()}
        made |= {f"mask/{n}": mask for n, mask in self.masks.items()}
        made |= {"done": torch.tensor(self.done), "random": self._random.get_state()}
        return {n: t.detach().clone() for n, t in made.items()}

    def load_state_dict(self, state: Mapping[str, torch.Tensor]) -> None:
        """Go on where the one was that ``state`` is of. Raises ``InvalidInput`` where that had other layers."""
        model, masks = (
            {n.removeprefix(p): t for n, t in state.items() if n.startswith(p)} for p in ("model/", "mask/")
        )
        shapes = {n: t.shape for n, t in self.model.state_dict().items()}
        done = int(state.get("done", -1))
        held = {n: weight(self.model.get_submodule(n)).shape for n in self._found.names} if done > 0 else {}
        same = shapes == {n: t.shape for n, t in model.items()} and held == {n: m.shape for n, m in masks.items()}
        if not same or not 0 <= done <= self.steps or "random" not in state:
            raise InvalidInput("state", "of another model or other settings", "give what state_dict() of the same gave")
        self.model.load_state_dict(model)
        self.masks = {n: m.clone() for n, m in masks.items()}
        self.done = done
        self._random.set_state(state["random"])
        if done and not self._hooks:
            self._hook()

    def _made(self) -> Sparsified:
        self._hold()
        counted = zeros(self.model, self._found.names)
        return Sparsified(self.model, str(self.pattern), counted, dict(self.held), self.done, self.steps)

    def _hold(self) -> None:
        for name, mask in self.masks.items():
            _keep(weight(self.model.get_submodule(name)), mask)

    def _hook(self) -> None:
        for name in self._found.names:
            own = weight(self.model.get_submodule(name))

            def before(module: nn.Module, args: Any, name: str = name, own: nn.Parameter = own) -> None:
                _keep(own, self.masks[name])

            for layer in self.model.modules():  # of all that share the weight any may compute first
                if getattr(layer, "weight", None) is own:
                    self._hooks.append(layer.register_forward_pre_hook(before))
            if own.requires_grad:
                self._hooks.append(own.register_hook(lambda g, name=name: g * self.masks[name]))

    def _chosen(self, each: dict[str, torch.Tensor], share: float) -> dict[str, torch.Tensor]:
        """Layer -> bool of the shape of its weight, False where it becomes 0."""
        if self.pattern.m:
            stay = math.ceil(self.pattern.m * (1 - share) - 1e-9)
            return {n: largest_of(s, stay, self.pattern.m) for n, s in each.items()}
        if self._settings.rank == "layer":
            return {n: smallest(s, round(s.numel() * share)) for n, s in each.items()}
        flat = torch.cat([s.reshape(-1) for s in each.values()])
        mask = smallest(flat, round(flat.numel() * share))
        parts = mask.split([s.numel() for s in each.values()])
        made = {n: part.reshape(s.shape) for (n, s), part in zip(each.items(), parts, strict=True)}
        for name, part in made.items():
            if not bool(part.any()):
                fix = f"of {name} none of {part.numel():,} weights stays: give less, or rank='layer', or keep it"
                raise InvalidInput("sparsity", self.sparsity, fix)
        return made

    def _leaves_something(self) -> None:
        """Refuse a share that leaves a layer without weights."""
        for name in self._found.names if not self.pattern.m and self._settings.rank == "layer" else ():
            size = weight(self.model.get_submodule(name)).numel()
            if round(size * self.sparsity) >= size:
                most = math.floor((1 - 1 / size) * 1e4) / 1e4
                fix = f"of {name} none of {size:,} weights stays: give {most:g} or less, or keep it"
                raise InvalidInput("sparsity", self.sparsity, fix)


def _keep(own: nn.Parameter, mask: torch.Tensor) -> None:
    """Not seen by autograd: what it writes is what was there, unless an optimiser has moved it."""
    own.data.masked_fill_(~mask, 0.0)


def sparsify(
    model: nn.Module,
    sparsity: float | None = None,
    *,
    pattern: str = "unstructured",
    criterion: str = "magnitude",
    data: Any = None,
    loss: Loss | None = None,
    rank: str = "layer",
    layers: Sequence[str] | None = None,
    keep: Sequence[str] = (),
    seed: int = 0,
    on_progress: Progress = silent,
) -> Sparsified:
    """``model`` with ``sparsity`` of its weights zero, not trained again.

        made = sv.sparsify(model, 0.9)
        plan = sv.plan_inference(made.model, x[:1], sparse="for_speed")

    The settings, and what is refused, are those of :class:`selvedge.Sparsifier`, which does it in steps.
    """
    sparsifier = Sparsifier(
        model, sparsity, pattern=pattern, criterion=criterion, data=data, loss=loss, rank=rank, layers=layers,
        keep=keep, seed=seed, on_progress=on_progress,
    )  # fmt: skip
    sparsifier.step()
    return sparsifier.finish()
