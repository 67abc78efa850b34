"""The way from ``NAME[?key=value&...]`` to a module."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import torch
from torch import nn

from selvedge.errors import InvalidInput
from selvedge.zoo.entries import ROWS
from selvedge.zoo.entry import Entry, Value

ENTRIES: Mapping[str, Entry] = MappingProxyType({row.name: row for row in ROWS})


def names() -> tuple[str, ...]:
    """The names that :func:`make` accepts, sorted."""
    return tuple(sorted(ENTRIES))


def entry(name: str) -> Entry:
    """The row of one architecture; :class:`InvalidInput` lists the names if there is none."""
    if name not in ENTRIES:
        raise InvalidInput("model", name, f"choose one of {', '.join(names())}")
    return ENTRIES[name]


def parse(spec: str) -> tuple[Entry, dict[str, Value]]:
    """``NAME[?key=value&...]`` -> the row and its options, defaults filled in, or :class:`InvalidInput`."""
    name, asked, query = spec.partition("?")
    row = entry(name)
    options = row.defaults
    seen: set[str] = set()
    for pair in query.split("&") if asked else ():
        key, given, text = pair.partition("=")
        if not key or not given:
            raise InvalidInput("model", spec, "write the options as NAME?key=value&key=value")
        if key not in row.options:
            known = ", ".join(f"{key} ({option})" for key, option in row.options.items())
            raise InvalidInput(f"{name} option", key, f"choose one of {known}")
        if key in seen:
            raise InvalidInput(f"{name} option", key, "give it once")
        seen.add(key)
        options[key] = row.options[key].parse(f"{name} option {key}", text)
    return row, options


def make(spec: str, seed: int = 0) -> tuple[nn.Module, torch.Tensor, str]:
    """Build ``NAME[?key=value&...]`` with weights drawn from ``seed``.

    Returns the module (float32, in training mode), an example input (batch 1; float32, standard normal, NCHW for
    images; or int32 tokens), and the name of its loss. PyTorch's global random state is left as it was. Raises
    :class:`InvalidInput` for an unknown model or option, or a bad value.
    """
    row, options = parse(spec)
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            module, example = row.make(options)
            return module, example, row.loss
    except RuntimeError as error:  # torch's word for a tensor that no memory holds
        raise InvalidInput("model", spec, f"torch cannot build it ({str(error).splitlines()[0]})") from None
