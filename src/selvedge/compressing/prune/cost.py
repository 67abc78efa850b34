"""What a network costs at any widths: multiplications, parameters, bytes of its state, channels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.nn.utils.rnn import PackedSequence

from ..export import Inputs, quiet
from ..still import still
from .groups import IN, OUT, THROUGH, Group
from .kinds import MIXES, PASSES, TRANSPOSED, axes, depthwise, groups, role, sizes

RESOURCES = {
    "macs": "multiplications by weights of convolutions, linear, recurrent and attention layers, for one sample",
    "parameters": "parameters",
    "bytes": "bytes of the state dict, as its types store it",
    "channels": "output channels of convolutions and linear layers, depthwise ones apart",
}
Amounts = tuple[float, float, float, float]  # in the order of RESOURCES
Sizes = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Layer:
    """``terms``: of each tensor (values apart from its channel axes, has output channels, has input channels, bytes a
    value, is a parameter). ``positions``: how often the weight is used for one sample."""

    terms: tuple[tuple[int, bool, bool, int, bool], ...]
    positions: float
    groups: int
    mixes: bool

    def at(self, inputs: int, outputs: int) -> Amounts:
        macs = parameters = size = 0.0
        for i, (other, out, into, width, trained) in enumerate(self.terms):
            count = other * (outputs if out else 1) * (inputs / self.groups if into else 1)
            macs += count * self.positions if i == 0 else 0
            parameters += count if trained else 0
            size += count * width
        return macs, parameters, size, outputs if self.mixes else 0


@dataclass(frozen=True, slots=True)
class Costs:
    """``layers`` and their ``sizes`` (inputs, outputs); ``fixed``: what does not change with any width."""

    layers: Mapping[str, Layer]
    sizes: Mapping[str, Sizes]
    fixed: Amounts

    def total(self, now: Mapping[str, Sizes]) -> Amounts:
        """At the sizes ``now``, and the layers' own where it says nothing."""
        return add(self.fixed, *(layer.at(*now.get(n, self.sizes[n])) for n, layer in self.layers.items()))

    def shrunk(self, now: Mapping[str, Sizes], group: Group, count: int) -> dict[str, Sizes]:
        """The sizes of the group's layers with ``count`` atoms fewer."""
        made: dict[str, Sizes] = {}
        for member in group.members:
            inputs, outputs = made.get(member.layer) or now.get(member.layer, self.sizes[member.layer])
            less = count * len(member.index[0])
            share = outputs // inputs if member.side == THROUGH else 1
            made[member.layer] = (
                inputs - (less if member.side in (IN, THROUGH) else 0),
                outputs - (less * share if member.side in (OUT, THROUGH) else 0),
            )
        return made


def costs(model: nn.Module, example: Inputs) -> Costs:
    """Of ``model``; one run of it says how often each weight is used."""
    used = _positions(model, example)
    layers, widths = {}, {}
    whole: Amounts = (
        0.0,
        float(sum(p.numel() for p in model.parameters())),
        float(sum(t.numel() * t.element_size() for t in model.state_dict().values())),
        0.0,
    )
    for name, module in model.named_modules():
        kind = role(module)
        if kind not in (MIXES, PASSES):
            whole = add(whole, (used.get(name, 0.0) * _weights(module), 0.0, 0.0, 0.0))
            continue
        terms = []
        for key, where in axes(module).items():
            tensor = getattr(module, key)
            other = tensor.numel()
            for axis in (where.out, where.into):
                other //= tensor.shape[axis] if axis is not None else 1
            trained = isinstance(tensor, nn.Parameter)
            terms.append((other, where.out is not None, where.into is not None, tensor.element_size(), trained))
        share = 1 if depthwise(module) else groups(module)
        layers[name] = Layer(tuple(terms), used.get(name, 0.0), share, kind == MIXES and name in used)
        widths[name] = sizes(module)
        own = layers[name].at(*widths[name])
        whole = add(whole, (0.0, -own[1], -own[2], 0.0))
    return Costs(layers, widths, whole)


def add(*parts: Amounts) -> Amounts:
    first, second, third, fourth = (sum(column) for column in zip(*parts, strict=True))
    return first, second, third, fourth


def named(amounts: Amounts) -> dict[str, int]:
    return {k: round(v) for k, v in zip(RESOURCES, amounts, strict=True)}


def shares(now: Amounts, before: Amounts) -> dict[str, float]:
    return {k: a / b if b else 1.0 for k, a, b in zip(RESOURCES, now, before, strict=True)}


def _weights(module: nn.Module) -> float:
    """Values of a fixed layer that multiply what it is given. An attention's projections lie behind each other."""
    if isinstance(module, nn.RNNBase | nn.RNNCellBase):
        return sum(w.numel() for w in module.parameters() if w.dim() == 2)
    if isinstance(module, nn.Linear | nn.modules.conv._ConvNd):
        return module.weight.numel()
    return 1.0 if isinstance(module, nn.MultiheadAttention) else 0.0


def _positions(model: nn.Module, example: Inputs) -> dict[str, float]:
    """Layer -> uses of each value of its weight for one sample; of an attention, multiplications."""
    found: dict[str, float] = {}
    samples = example[0].shape[0] if example[0].dim() else 1

    def hook(name: str) -> Any:
        def watch(module: nn.Module, given: Any, named: Any, out: Any) -> None:
            first = next((x for x in (*given, *named.values()) if isinstance(x, torch.Tensor | PackedSequence)), None)
            if first is None:
                return
            x = first.data  # of packed sequences all steps, one behind the other
            if isinstance(module, nn.MultiheadAttention):
                uses = _projected(module, given, named) / samples
            elif isinstance(module, nn.RNNBase) and isinstance(first, torch.Tensor) and x.dim() == 2:
                uses = float(len(x))
            elif isinstance(module, nn.RNNBase | nn.RNNCellBase):
                uses = x.numel() / x.shape[-1] / samples
            elif isinstance(module, (nn.Linear, *TRANSPOSED)):
                uses = x.numel() / sizes(module)[0] / samples
            elif isinstance(module, nn.modules.conv._ConvNd):
                uses = out.numel() / sizes(module)[1] / samples
            else:
                uses = 0.0
            found[name] = found.get(name, 0.0) + uses

        return watch

    hooks = [m.register_forward_hook(hook(n), with_kwargs=True) for n, m in model.named_modules()]
    try:
        with quiet(), still(model):
            model(*example)
    finally:
        for h in hooks:
            h.remove()
    return found


def _projected(module: nn.MultiheadAttention, given: Any, named: Mapping[str, Any]) -> float:
    """Multiplications of an attention's four projections; those of activations by each other are not counted."""
    names = ("query", "key", "value")
    parts = [given[i] if i < len(given) else named[n] for i, n in enumerate(names)]
    own = [part.numel() * module.embed_dim for part in parts]
    return float(sum(own) + parts[0].numel() * module.embed_dim)


def totals(model: nn.Module, example: Inputs) -> Amounts:
    """Of ``model`` as it stands."""
    found = costs(model, example)
    return found.total(found.sizes)


def allowed(costs_: Costs, group: Group, multiple: int, least: int) -> tuple[int, ...]:
    """The numbers of atoms that the group may keep, falling: all, and those at which every layer that makes them has
    ``least`` channels or more, and a multiple of ``multiple``."""
    each = [(len(m.index[0]), costs_.sizes[m.layer][1]) for m in group.at(OUT)]
    fine = [
        k
        for k in range(group.size - 1, 0, -1)
        if all((out - (group.size - k) * s) % multiple == 0 and out - (group.size - k) * s >= least for s, out in each)
    ]
    return (group.size, *fine)


def least(found: Sequence[Group], costs_: Costs, widths: Sequence[Sequence[int]]) -> Amounts:
    """With every group as narrow as it may be."""
    now: dict[str, Sizes] = {}
    for group, options in zip(found, widths, strict=True):
        now |= costs_.shrunk(now, group, group.size - options[-1])
    return costs_.total(now)
