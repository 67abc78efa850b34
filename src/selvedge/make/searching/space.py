"""Which architectures are searched: a factory over its options, a family of the zoo, or a trained network, cut."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import torch
from torch import nn

from ... import zoo
from ...compressing.prune import Pruner
from ...errors import InvalidInput, NotSupported
from ...zoo import registry

Value = float | int | str
WIDTHS = (0.25, 0.5, 0.75, 1.0, 1.5)  # times the family's own
DEPTHS = (0.5, 1.0)
RESOLUTIONS = (1.0, 0.5)
SHARES = (0.75, 0.5, 0.35, 0.25)  # of the multiplications of a trained network that may stay
SCALED: Mapping[str, Sequence[float]] = {"width": WIDTHS, "depth": DEPTHS}
MOST = 200  # architectures


@dataclass(frozen=True, slots=True)
class Architecture:
    """``make``: the network, its weights drawn from torch's generator, or trained ones where ``trained``."""

    name: str
    options: Mapping[str, Value]
    make: Callable[[], nn.Module]
    trained: bool = False

    def built(self, seed: int) -> nn.Module:
        """With weights drawn from ``seed``; torch's own generator is left where it was."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            return self.make()


class Space:
    """``make(**options)`` for every combination of the options' values.

        space = sv.Space(lambda width, depth: Net(width, depth), width=(0.5, 1.0), depth=(2, 4))

    resolution: an option that is not given to ``make``: the network sees the mean of every 2 x 2 pixels (or 2 samples
    in time) where it is 0.5, of 4 x 4 where it is 0.25; the device still gives it the whole input. ``make`` must then
    take that size, as a network that ends in a global pool does.
    """

    def __init__(self, make: Callable[..., nn.Module], **options: Sequence[Value]) -> None:
        if not callable(make):
            raise InvalidInput("make", f"of type {type(make).__name__}", "give a function of the options to a module")
        for name, values in options.items():
            if isinstance(values, str) or not isinstance(values, Sequence) or not values:
                raise InvalidInput(f"option {name}", values, f"give its values, as {name}=(0.5, 1.0)")
        count = math.prod(map(len, options.values()))
        if count > MOST:
            raise InvalidInput("options", f"of {count} combinations", f"give at most {MOST}")
        for name, values in options.items():
            if not all(isinstance(v, float | int | str) for v in values):
                raise InvalidInput(f"option {name}", list(values), "give numbers or words, and let make read them")
            if len(set(values)) < len(values):
                raise InvalidInput(f"option {name}", list(values), "give each value once")
        for share in options.get("resolution", ()):
            if not isinstance(share, float | int) or not 0 < share <= 1 or round(1 / share) != 1 / share:
                raise InvalidInput("option resolution", share, "give 1, 0.5, 0.25 or another 1/n")
        self.make, self.options = make, {k: tuple(v) for k, v in options.items()}

    def architectures(self, axes: int) -> Iterator[Architecture]:
        """axes: of a sample: 2 (channels, time) or 3 (channels, height, width)."""
        for values in product(*self.options.values()):
            chosen = dict(zip(self.options, values, strict=True))
            name = ", ".join(f"{k} {_told(v)}" for k, v in chosen.items())
            yield Architecture(name or "as it is", chosen, _Made(self.make, chosen, axes))


def _told(value: Value) -> str:
    """So that no two values are told alike."""
    if isinstance(value, str):
        return value
    short = f"{value:g}"
    return short if float(short) == value else repr(value)


@dataclass(frozen=True, slots=True)
class _Made:
    make: Callable[..., nn.Module]
    options: Mapping[str, Value]
    axes: int

    def __call__(self) -> nn.Module:
        options = dict(self.options)
        block = round(1 / float(options.pop("resolution", 1)))
        net = self.make(**options)
        if not isinstance(net, nn.Module):
            raise InvalidInput("make", f"giving {type(net).__name__}", "let it return an nn.Module")
        if block == 1:
            return net
        if self.axes not in (2, 3):
            raise InvalidInput("option resolution", 1 / block, "samples need [C, T] or [C, H, W] to be made smaller")
        return nn.Sequential((nn.AvgPool1d if self.axes == 2 else nn.AvgPool2d)(block), net)


def family(spec: str) -> Space:
    """The network of the zoo that ``spec`` names, over the options "width" and "depth" that it has and ``spec`` does
    not say, as multiples of its own, and over resolutions of the input."""
    text = spec.removeprefix("zoo:")
    row, options = registry.parse(text)
    said = {pair.partition("=")[0] for pair in text.partition("?")[2].split("&")}
    over: dict[str, Sequence[Value]] = {}
    for key, times in SCALED.items():
        if key in row.options and key not in said:
            option = row.options[key]
            values = [float(option.default) * t for t in times]
            over[key] = [v for v in values if option.least <= v <= option.most]
    if row.tokens is None and len(row.shape) > 1:
        over["resolution"] = RESOLUTIONS

    def make(**chosen: Value) -> nn.Module:
        given = "&".join(f"{k}={v}" for k, v in {**options, **chosen}.items())
        # Its weights are of torch's generator, as the caller has seeded it.
        return zoo.make(f"{row.name}?{given}", seed=int(torch.randint(2**31, ()).item()))[0]

    return Space(make, **over)


def pruned(model: nn.Module, data: tuple[torch.Tensor, torch.Tensor], multiple: int) -> Iterator[Architecture]:
    """A trained network as it is, and cut to shares of its multiplications; those that no widths meet are left out."""
    yield Architecture("as it is", {"macs": 1.0}, lambda: copy.deepcopy(model), True)
    for share in SHARES:
        try:
            made = Pruner(model, data[0][:1], {"macs": share}, criterion="taylor", data=data, multiple=multiple).step()
        except (InvalidInput, NotSupported):
            return
        yield Architecture(f"macs {share:g}", {"macs": share}, _Copy(made.model), True)


@dataclass(frozen=True, slots=True)
class _Copy:
    model: nn.Module

    def __call__(self) -> nn.Module:
        return copy.deepcopy(self.model)


def architectures(model: Any, data: tuple[torch.Tensor, torch.Tensor], multiple: int) -> list[Architecture]:
    """Of what the user gave: a :class:`Space`, a module, "zoo:NAME", or several of them. data: (x, y), for the
    gradients that pruning goes by."""
    given = list(model) if isinstance(model, list | tuple) else [model]
    axes = data[0].dim() - 1
    found: list[Architecture] = []
    for i, one in enumerate(given):
        if isinstance(one, Space):
            own: Sequence[Architecture] = list(one.architectures(axes))
        elif isinstance(one, nn.Module):
            own = list(pruned(one, data, multiple))
        elif isinstance(one, str) and one.startswith("zoo:"):
            own = list(family(one).architectures(axes))
        else:
            raise InvalidInput("model", one, 'give an nn.Module, an sv.Space, or "zoo:NAME", or a list of them')
        before = f"{one.removeprefix('zoo:')}: " if isinstance(one, str) else f"{i}: " if len(given) > 1 else ""
        found += [Architecture(before + a.name, a.options, a.make, a.trained) for a in own]
    if not found:
        raise InvalidInput("model", "an empty list", "give a network, an sv.Space, or zoo:NAME")
    return found
