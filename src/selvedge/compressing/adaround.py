"""AdaRound: nn.Module -> nn.Module whose weights lie on their steps, each rounded the way its layer's output wants.

Nagel et al., "Up or Down? Adaptive Rounding for Post-Training Quantization" (2020), arXiv:2004.10568, section 3.3 and
3.5: w' = s * clip(floor(w / s) + h(V), -n, n) with the rectified sigmoid h(V) = clip(1.2 * sigmoid(V) - 0.1, 0, 1),
and V that minimises ||W x - W' x'||^2 + lambda * sum(1 - |2 h(V) - 1|^beta), x' the input behind the layers that are
rounded already (asymmetric reconstruction). beta falls from 20 to 2, so that every h ends at 0 or 1.
"""

from __future__ import annotations

import copy

import torch
from torch import nn

from .export import Inputs
from .fold import Layer, layer_modules
from .litert import WIDTHS, Wanted

STEPS, BATCH, RATE = 500, 32, 1e-2
WEIGHT = 0.01  # lambda
WARM = 0.2  # of the steps, without the term that drives h to its ends
BETA = (20.0, 2.0)
SAMPLES = 512  # at most, whose inputs to a layer are kept


def adaround(model: nn.Module, data: list[Inputs], wanted: Wanted, *, steps: int = STEPS, seed: int = 0) -> nn.Module:
    """A copy of ``model`` (norms folded, eval mode) with the weights of the layers of ``wanted.scales`` on their
    steps."""
    example = tuple(x[:2] for x in data[0])
    made = copy.deepcopy(model)
    original, modules = layer_modules(model, example), layer_modules(made, example)
    generator = torch.Generator().manual_seed(seed)
    for name, module in modules.items():
        if name not in wanted.scales:
            continue
        given, _ = seen(made, module, data)
        _, right = seen(model, original[name], data)
        scale, most = wanted.scales[name], WIDTHS[wanted.of(name)]
        best = learnt(module, given, right, scale, most, steps, generator)
        with torch.no_grad():
            module.weight.copy_(best)
    return made


def learnt(
    module: Layer, given: torch.Tensor, right: torch.Tensor, scale: torch.Tensor, most: int, steps: int,
    generator: torch.Generator,
) -> torch.Tensor:  # fmt: skip
    """The weight of ``module`` on the steps of ``scale``; the nearest steps where learning found nothing better."""
    along = scale.reshape(-1, *(1,) * (module.weight.dim() - 1))
    whole = module.weight.detach() / along
    down = whole.floor()
    rest = (whole - down).clamp(1e-4, 1 - 1e-4)
    v = torch.logit((rest + 0.1) / 1.2).requires_grad_()
    optimizer = torch.optim.Adam([v], RATE)
    for step in range(steps):
        rows = torch.randint(len(given), (min(BATCH, len(given)),), generator=generator)
        h = (1.2 * v.sigmoid() - 0.1).clamp(0, 1)
        weight = along * (down + h).clamp(-most, most)
        loss = (_call(module, weight, given[rows]) - right[rows]).square().mean(0).sum()
        part = step / steps
        if part >= WARM:
            left = (part - WARM) / (1 - WARM)
            beta = BETA[1] + (BETA[0] - BETA[1]) * (1 - left)
            loss = loss + WEIGHT * (1 - (2 * h - 1).abs().pow(beta)).sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        ways = [whole.round(), down + (v >= 0)]
        found = [along * way.clamp(-most, most) for way in ways]
        errors = [float((_call(module, w, given) - right).square().mean()) for w in found]
    return found[errors[1] < errors[0]]


def seen(model: nn.Module, module: Layer, data: list[Inputs]) -> tuple[torch.Tensor, torch.Tensor]:
    """(inputs, outputs) of ``module`` on the first :data:`SAMPLES` samples."""
    given: list[torch.Tensor] = []
    out: list[torch.Tensor] = []

    def hook(_module: nn.Module, x: tuple[torch.Tensor, ...], y: torch.Tensor) -> None:
        given.append(x[0].detach())
        out.append(y.detach())

    handle = module.register_forward_hook(hook)
    try:
        with torch.no_grad():
            for batch in data:
                if sum(map(len, given)) < SAMPLES:
                    model(*batch)
    finally:
        handle.remove()
    return torch.cat(given)[:SAMPLES], torch.cat(out)[:SAMPLES]


def _call(module: Layer, weight: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    made = torch.func.functional_call(module, {"weight": weight}, (x,))
    assert isinstance(made, torch.Tensor)
    return made
