"""Which layers can run by sparse kernels, and why others cannot."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import nn

from ...errors import NotSupported
from ..gradients import weight
from .pattern import Pattern

KINDS = (nn.Linear, nn.Conv1d, nn.Conv2d)


@dataclass(frozen=True, slots=True)
class Found:
    """``names``: of the layers that get zeros, in the order of the model. ``held``: layer with a weight -> why not."""

    names: tuple[str, ...]
    held: dict[str, str]


def find(model: nn.Module, pattern: Pattern, only: Sequence[str] | None, keep: Sequence[str]) -> Found:
    """Raises ``NotSupported`` where there is none."""
    names: list[str] = []
    held: dict[str, str] = {}
    users: dict[int, str] = {}  # a weight -> the layer that decides for all that share it: one that holds it first
    for name, module, own in _weights(model):
        why = "is not among layers=" if only is not None and not _any(name, only) else ""
        why = why or ("is kept" if _any(name, keep) else _why(module, own, pattern))
        if why:
            held[name] = why
            users.setdefault(id(own), name)
    for name, _, own in _weights(model):
        if name in held:
            continue
        if users.setdefault(id(own), name) == name:
            names.append(name)
        else:
            held[name] = f"has the weight of {users[id(own)]}"
    if not names:
        said = "; ".join(f"{n} {why}" for n, why in list(held.items())[:3]) or "it has no layer with a weight"
        raise NotSupported("making this model sparse", "", said)
    return Found(tuple(names), held)


def _weights(model: nn.Module) -> Iterator[tuple[str, nn.Module, torch.Tensor]]:
    for name, module in model.named_modules():
        own = getattr(module, "weight", None)
        if isinstance(own, torch.Tensor) and own.dim() >= 2:
            yield name, module, own


def _why(module: nn.Module, own: torch.Tensor, pattern: Pattern) -> str:
    if not isinstance(module, KINDS):
        return f"is a {type(module).__name__}, for which there is no sparse kernel"
    if isinstance(module, nn.Conv1d | nn.Conv2d) and module.groups > 1:
        return f"has {module.groups} groups"
    if not isinstance(own, nn.Parameter):
        return "has a weight that is computed"
    if not pattern.fits(own):
        return f"has {own.shape[1]} inputs, which do not part into runs of {pattern.m}"
    return ""


def _any(name: str, globs: Sequence[str]) -> bool:
    return any(fnmatch.fnmatchcase(name, glob) for glob in globs)


def zeros(model: nn.Module, names: Sequence[str]) -> dict[str, tuple[int, int]]:
    """Layer -> (weights that are zero, weights)."""
    return {n: (int((w := weight(model.get_submodule(n))).detach().eq(0).sum()), w.numel()) for n in names}
