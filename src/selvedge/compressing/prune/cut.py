"""Taking channels away: from a module, in place, and the other way to say the same, weights that are zero."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import nn

from .groups import IN, OUT, THROUGH, Group, removed
from .kinds import CONVOLUTIONS, TRANSPOSED, axes, depthwise, groups, resize, sizes

Index = tuple[tuple[int, torch.Tensor], ...]  # (axis, what is kept along it) each


@dataclass(frozen=True, slots=True)
class Kept:
    """The channels of a layer that stay: of its inputs and of its outputs, by their numbers before."""

    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


def kept(model: nn.Module, found: Sequence[Group], atoms: Sequence[Collection[int]]) -> dict[str, Kept]:
    """Layer -> what stays, of the layers that lose something. atoms: of each group those that are cut."""
    gone: dict[str, tuple[set[int], set[int]]] = {}
    layers = dict(model.named_modules())
    for group, cut in zip(found, atoms, strict=True):
        for member in group.members if cut else ():
            numbers = removed(member, cut).tolist()
            inputs, outputs = gone.setdefault(member.layer, (set(), set()))
            if member.side in (IN, THROUGH):
                inputs.update(numbers)
            if member.side == OUT:
                outputs.update(numbers)
            if member.side == THROUGH:
                into, out = sizes(layers[member.layer])
                share = out // into  # of a depthwise convolution with a multiplier
                outputs.update(j * share + k for j in numbers for k in range(share))
    made = {}
    for name, (inputs, outputs) in gone.items():
        into, out = sizes(layers[name])
        made[name] = Kept(
            tuple(i for i in range(into) if i not in inputs), tuple(i for i in range(out) if i not in outputs)
        )
    return made


def indices(module: nn.Module, stays: Kept) -> dict[str, Index]:
    """Name of each tensor of the layer that shrinks -> what is kept of it, axis by axis."""
    share = 1 if depthwise(module) else groups(module)
    per_group = sizes(module)[0] // share
    inputs = torch.tensor([i for i in stays.inputs if i < per_group])  # every group keeps the same
    outputs = torch.tensor(stays.outputs)
    made = {}
    for name, where in axes(module).items():
        found = [(a, i) for a, i in ((where.out, outputs), (where.into, inputs)) if a is not None]
        made[name] = tuple((a, i) for a, i in found if len(i) < getattr(module, name).shape[a])
    return {k: v for k, v in made.items() if v}


def sliced(tensor: torch.Tensor, index: Index) -> torch.Tensor:
    for axis, rows in index:
        tensor = tensor.index_select(axis, rows.to(tensor.device))
    return tensor.contiguous()


def cut(model: nn.Module, stays: Mapping[str, Kept]) -> dict[str, Index]:
    """Cut ``model`` in place; parameter or buffer -> what was kept of it. Parameters stay the same objects."""
    layers, made = dict(model.named_modules()), dict[str, Index]()
    for name, rows in stays.items():
        module = layers[name]
        for key, index in indices(module, rows).items():
            tensor = getattr(module, key)
            tensor.data = sliced(tensor.data, index)
            tensor.grad = None
            made[f"{name}.{key}" if name else key] = index
        resize(module, len(rows.inputs), len(rows.outputs))
    return made


def mask(model: nn.Module, found: Sequence[Group], atoms: Iterable[Collection[int]]) -> None:
    """The other way: nothing reads what would be cut, for the weights that read it become zero, in place."""
    layers = dict(model.named_modules())
    for group, gone in zip(found, atoms, strict=True):
        for member in group.at(IN) if gone else ():
            module = layers[member.layer]
            module.weight.data = weight = module.weight.data.clone()
            channels = removed(member, gone)
            if isinstance(module, TRANSPOSED):
                weight[channels] = 0
                continue
            share = groups(module)
            size, rows = sizes(module)[0] // share, len(weight) // share
            for j in channels.tolist():
                group_of = j // size
                weight[group_of * rows : (group_of + 1) * rows, j % size] = 0


def undo(model: nn.Module, names: Iterable[str]) -> Callable[[], None]:
    """What gives these layers back the tensors and sizes that they have now."""
    layers = dict(model.named_modules())
    before = []
    for name in names:
        module = layers[name]
        tensors = {key: getattr(module, key).data for key in axes(module)}
        before.append((module, tensors, sizes(module), groups(module)))

    def restore() -> None:
        for module, tensors, was, share in before:
            for key, tensor in tensors.items():
                getattr(module, key).data = tensor
            resize(module, *was)
            if isinstance(module, CONVOLUTIONS):
                module.groups = share

    return restore
