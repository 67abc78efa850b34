"""Groups of channels that are cut together, and why others are not cut."""

from __future__ import annotations

import fnmatch
from collections.abc import Collection, Mapping
from dataclasses import dataclass

import torch
from torch import nn

from ..export import Inputs
from .kinds import sizes
from .probe import Node, Probe, ties
from .union import Union

IN, OUT, THROUGH = "in", "out", "through"


@dataclass(frozen=True, slots=True)
class Member:
    """``index[k]``: the channels of ``layer`` at ``side`` ("in", "out", "through") that go with atom k; all as many."""

    layer: str
    side: str
    index: tuple[tuple[int, ...], ...]


@dataclass(frozen=True, slots=True)
class Group:
    """Atoms 0..size-1, each the least set of channels that can be cut alone; ``name``: the first layer that makes
    them."""

    name: str
    members: tuple[Member, ...]
    size: int

    def at(self, side: str) -> tuple[Member, ...]:
        return tuple(m for m in self.members if m.side == side)


@dataclass(frozen=True, slots=True)
class Found:
    """``groups`` that may be cut; ``held``: layer -> why its output channels are not."""

    groups: tuple[Group, ...]
    held: Mapping[str, str]


def find(model: nn.Module, example: Inputs, keep: Collection[str] = (), seed: int = 0) -> Found:
    """The groups of ``model``. keep: names or globs of layers whose output channels stay."""
    probe = Probe(model, example, seed)
    union, fixed = ties(probe)
    atoms: dict[Node, list[Node]] = union.sets()
    why = {union.root(node): reason for node, reason in fixed.items()}
    together = Union[str]()
    first: dict[Node, str] = {}
    for name in probe.mixing:
        together.add(name)
        for i in range(sizes(probe.layers[name])[1]):
            together.join(first.setdefault(union.root((name, OUT, i)), name), name)
    groups, held = [], {}
    for names in together.sets().values():
        roots = dict.fromkeys(union.root((n, OUT, i)) for n in names for i in range(sizes(probe.layers[n])[1]))
        kept = next((n for n in names for k in keep if fnmatch.fnmatchcase(n, k)), None)
        reason = next((why[r] for r in roots if r in why), None)
        made = None
        if kept is not None:
            reason = "is kept" if kept in names[:1] and len(names) == 1 else f"goes with {kept}, which is kept"
        elif reason is None:
            made, reason = _group(names[0], [atoms[r] for r in roots])
        if made is not None:
            groups.append(made)
        else:
            held.update(dict.fromkeys(names, str(reason)))
    return Found(tuple(groups), held)


def _group(name: str, atoms: list[list[Node]]) -> tuple[Group | None, str | None]:
    if len(atoms) == 1:
        return None, "its channels are not independent of each other"
    split: list[dict[tuple[str, str], list[int]]] = []
    for nodes in atoms:
        parts: dict[tuple[str, str], list[int]] = {}
        for layer, side, channel in nodes:
            parts.setdefault((layer, side), []).append(channel)
        split.append(parts)
    shape = {key: len(v) for key, v in split[0].items()}
    if any({key: len(v) for key, v in parts.items()} != shape for parts in split):
        return None, "its channels part by their position"
    if not any(side == IN for _, side in shape):
        return None, "no layer reads it"
    members = tuple(Member(*key, tuple(tuple(sorted(parts[key])) for parts in split)) for key in shape)
    return Group(name, members, len(atoms)), None


def removed(member: Member, atoms: Collection[int]) -> torch.Tensor:
    """The channels of ``member`` that go with ``atoms``, sorted."""
    return torch.tensor(sorted(i for k in atoms for i in member.index[k]), dtype=torch.long)
