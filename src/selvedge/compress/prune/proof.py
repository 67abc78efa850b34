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
from .cut import cut, kept, mask
from .groups import Found, Group

EXACT, ROUGH = 1e-9, 1e-4  # of the greatest output, in float64 and where only float32 runs
BRANCHES = "the network is another one without them"


def proven(model: nn.Module, example: Inputs, found: Found, seed: int) -> Found:
    """``found`` without the groups of which a random half cannot be cut; they are held then."""
    random = torch.Generator().manual_seed(seed)
    net = _drawn(model, random)
    atoms = [_some(group.size, random) for group in found.groups]
    if not found.groups or holds(net, example, found.groups, atoms):
        return found
    good, held = [], dict(found.held)
    for group, gone in zip(found.groups, atoms, strict=True):
        if holds(net, example, [group], [gone]):
            good.append(group)
        else:
            names = [m.layer for m in group.members if m.side == "out"]
            held.update(dict.fromkeys(names, BRANCHES))
    return Found(tuple(good), held)


def holds(model: nn.Module, example: Inputs, found: Sequence[Group], atoms: Sequence[Collection[int]]) -> bool:
    """Whether ``model`` without these atoms says what it says when nothing reads them."""
    for kind, tolerance in ((torch.float64, EXACT), (torch.float32, ROUGH)):
        masked = _as(model, kind)
        given = tuple(x.to(kind) if x.dtype.is_floating_point else x for x in example)
        mask(masked, found, atoms)
        wanted = _outputs(masked, given)
        if wanted is None:  # a model that makes float32 itself
            continue
        smaller = _as(model, kind)
        cut(smaller, kept(smaller, found, atoms))
        made = _outputs(smaller, given)
        if made is None or [t.shape for t in made] != [t.shape for t in wanted]:
            return False
        return all(
            float((a - b).abs().max()) <= tolerance * max(1.0, float(b.abs().max()))
            for a, b in zip(made, wanted, strict=True)
            if b.numel()
        )
    return False


def _as(model: nn.Module, kind: torch.dtype) -> nn.Module:
    return copy.deepcopy(model).eval().to(kind)


def _outputs(model: nn.Module, given: Inputs) -> list[torch.Tensor] | None:
    try:
        with quiet(), torch.no_grad():
            found = tree_flatten(model(*given))[0]
    except Exception:
        return None
    return [t for t in found if isinstance(t, torch.Tensor)]


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
