"""Whether a cut is right: the smaller network says what the whole one says when nothing reads what was cut.

That is exact up to the order of sums, for any weights and any input; here in float64, with the model's own weights or
with random ones (under which nothing is zero or equal by chance).
"""

from __future__ import annotations

import copy
from collections.abc import Collection, Sequence

import torch
from torch import nn
from torch.utils._pytree import tree_flatten

from ..export import Inputs, quiet
from .cut import cut, kept, mask, undo
from .groups import OUT, Found, Group

EXACT, ROUGH = 1e-9, 1e-4  # of the greatest output, in float64 and where only float32 runs
POSITIONS = "what comes behind them counts on their positions"


def proven(model: nn.Module, example: Inputs, found: Found, seed: int) -> Found:
    """``found`` without the groups of which a random half cannot be cut; they are held then."""
    random = torch.Generator().manual_seed(seed)
    bench = Bench(_drawn(model, random), example)
    atoms = [_some(group.size, random) for group in found.groups]
    if not found.groups or bench.holds(found.groups, atoms):
        return found
    good, held = [], dict(found.held)
    for group, gone in zip(found.groups, atoms, strict=True):
        if bench.holds([group], [gone]):
            good.append(group)
        else:
            held.update(dict.fromkeys((m.layer for m in group.at(OUT)), POSITIONS))
    return Found(tuple(good), held)


def holds(model: nn.Module, example: Inputs, found: Sequence[Group], atoms: Sequence[Collection[int]]) -> bool:
    """Whether ``model`` without these atoms says what it says when nothing reads them."""
    return Bench(copy.deepcopy(model), example).holds(found, atoms)


class Bench:
    """``net``, which is changed and restored, in eval mode and in float64; in float32 where it makes float32 itself."""

    def __init__(self, net: nn.Module, example: Inputs) -> None:
        self.tolerance = EXACT
        self.net = net.eval().double()
        self.example = _as(example, torch.float64)
        if self._outputs() is None:
            self.tolerance = ROUGH
            self.net = net.float()
            self.example = _as(example, torch.float32)

    def holds(self, found: Sequence[Group], atoms: Sequence[Collection[int]]) -> bool:
        stays = kept(self.net, found, atoms)
        restore = undo(self.net, stays)
        mask(self.net, found, atoms)
        wanted = self._outputs()
        restore()
        cut(self.net, stays)
        made = self._outputs()
        restore()
        if made is None or wanted is None or [t.shape for t in made] != [t.shape for t in wanted]:
            return False
        return all(
            float((a - b).abs().max()) <= self.tolerance * max(1.0, float(b.abs().max()))
            for a, b in zip(made, wanted, strict=True)
            if b.numel()
        )

    def _outputs(self) -> list[torch.Tensor] | None:
        try:
            with quiet(), torch.no_grad():
                found = tree_flatten(self.net(*self.example))[0]
        except Exception:
            return None
        return [t for t in found if isinstance(t, torch.Tensor)]


def _as(example: Inputs, kind: torch.dtype) -> Inputs:
    return tuple(x.to(kind) if x.dtype.is_floating_point else x for x in example)


def _some(size: int, random: torch.Generator) -> list[int]:
    """About half of the atoms, at least one, never all."""
    order = torch.randperm(size, generator=random).tolist()
    return sorted(order[: max(1, size // 2)])


def _drawn(model: nn.Module, random: torch.Generator) -> nn.Module:
    """A copy with other weights, of the size that keeps a signal as large as it was."""
    net = copy.deepcopy(model).eval()
    with torch.no_grad():
        for weight in net.parameters():
            if weight.dtype.is_floating_point:
                fan = weight[0].numel() if weight.dim() > 1 else 4
                weight.copy_(torch.randn(weight.shape, generator=random) * (2 / fan) ** 0.5)
        for name, tensor in net.named_buffers():
            if name.endswith("running_var"):
                tensor.copy_(torch.rand(tensor.shape, generator=random) + 0.5)
            elif name.endswith("running_mean"):
                tensor.copy_(torch.randn(tensor.shape, generator=random) * 0.1)
    return net
