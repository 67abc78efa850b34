"""Scores of a network that nobody has trained: they order candidates for a filter, and judge nothing.

"naswot": log determinant of how often the pieces of a batch agree in which activations are above 0 (Mellor et al.,
arXiv:2006.04647, eq. 2). "synflow": the sum over parameters of theta dR/dtheta, R the output for ones of the network
whose weights are their magnitudes (Tanaka et al., arXiv:2006.05467, eq. 2), as a logarithm.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

aten = torch.ops.aten
ACTIVATIONS = frozenset(
    (
        aten.relu.default, aten.relu_.default, aten.hardtanh.default, aten.hardtanh_.default, aten.silu.default,
        aten.silu_.default, aten.hardswish.default, aten.hardswish_.default, aten.gelu.default, aten.tanh.default,
        aten.leaky_relu.default, aten.leaky_relu_.default, aten.elu.default, aten.elu_.default,
    )
)  # fmt: skip
SAMPLES = 32


class _Patterns(TorchDispatchMode):
    """[N, N]: in how many activations two samples lie on the same side of 0."""

    def __init__(self, samples: int) -> None:
        TorchDispatchMode.__init__(self)
        self.agree = torch.zeros(samples, samples, dtype=torch.float64)

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = func(*args, **(kwargs or {}))
        if func in ACTIVATIONS and made.shape[:1] == self.agree.shape[:1]:
            above = (made.reshape(len(made), -1) > 0).double()
            self.agree += above @ above.T + (1 - above) @ (1 - above).T
        return made


def naswot(net: nn.Module, x: Tensor) -> float:
    """Of ``net`` in evaluation mode on samples ``x``; -inf where it has no activation."""
    given = x[:SAMPLES]
    patterns = _Patterns(len(given))
    with torch.no_grad(), patterns:
        copy.deepcopy(net).eval()(given)
    sign, value = torch.linalg.slogdet(patterns.agree)
    return float(value) if float(sign) > 0 else -math.inf


def synflow(net: nn.Module, x: Tensor) -> float:
    """Of ``net`` in float64, norms with the statistics that they were made with; -inf where it does not run in that, as
    one that makes a float32 state of its own."""
    linear = copy.deepcopy(net).eval().double()
    with torch.no_grad():
        for p in linear.parameters():
            p.abs_()
    with torch.enable_grad():
        try:
            out = linear(torch.ones_like(x[:1], dtype=torch.float64)).sum()
        except RuntimeError:
            return -math.inf
        own = [p for p in linear.parameters() if p.requires_grad]
        found = torch.autograd.grad(out, own, allow_unused=True)
    total = sum(float((p.detach() * g).sum()) for p, g in zip(own, found, strict=True) if g is not None)
    return math.log(total) if total > 0 else -math.inf


def ranked(scores: Sequence[Sequence[float]]) -> list[float]:
    """The mean rank of each candidate over the scores ``[kinds][candidates]``; more is better, equals share theirs."""
    count = len(scores[0])
    total = [0.0] * count
    for values in scores:
        for i, v in enumerate(values):
            below = sum(w < v for w in values)
            total[i] += below + (sum(w == v for w in values) - 1) / 2
    return [t / len(scores) for t in total]
