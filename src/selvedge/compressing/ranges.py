"""Which range of a tensor its 256 (or 16) steps cover: PT2E observers of activations and of weights.

Activations: one asymmetric range a tensor, zero on a step. Weights: one symmetric range an output channel, zero point
0, without the lowest step (Jacob et al., arXiv:1712.05877, sections 2.1 and 3.1; LiteRT's int8 specification). "minmax"
covers everything seen; "percentile" leaves out the farthest of the values on each side; "mse" is the range of the least
mean squared error, by search over shrunken ranges (Banner et al., arXiv:1810.05723; Krishnamoorthi, arXiv:1806.08342).
"""

from __future__ import annotations

from typing import Any

import torch

from .pt2e import ObserverBase

METHODS = ("minmax", "percentile", "mse")
SHARE = 1e-4  # of an activation's values that "percentile" leaves out at each end
BINS = 4096
STEPS = 64  # ranges that "mse" tries for each end
LEAST = 1e-30  # a scale, so that nothing is divided by zero


def affine(low: float, high: float, least: int, most: int) -> tuple[float, int]:
    """(scale, zero point) of a range widened to hold zero, so that zero is on a step."""
    low, high = min(low, 0.0), max(high, 0.0)
    scale = max((high - low) / (most - least), LEAST)
    scale = float(torch.tensor(scale, dtype=torch.float32)) or float(torch.finfo(torch.float32).tiny)
    return scale, int(min(max(round(least - low / scale), least), most))


class ActivationRange(ObserverBase):  # type: ignore[misc]
    """The range of an activation. ``average`` > 0: a moving average with that weight for what is new, as in training.

    "percentile" and "mse" see the data twice: first its ends, then, with ``counting``, a histogram between them.
    """

    def __init__(
        self, dtype: torch.dtype = torch.int8, method: str = "minmax", average: float = 0.0, quant_min: int = -128,
        quant_max: int = 127, qscheme: torch.qscheme = torch.per_tensor_affine, **_: Any,
    ) -> None:  # fmt: skip
        super().__init__(dtype)
        self.method, self.average, self.qscheme = method, average, qscheme
        self.quant_min, self.quant_max = quant_min, quant_max
        self.counting = False
        self.register_buffer("low", torch.tensor(torch.inf))
        self.register_buffer("high", torch.tensor(-torch.inf))
        self.register_buffer("counts", torch.zeros(BINS, dtype=torch.float64), persistent=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if x.numel() == 0:
            return x
        seen = x.detach()
        if self.counting:
            if self.high > self.low:
                self.counts += torch.histc(seen.float(), BINS, float(self.low), float(self.high)).double()
            return x
        low, high = torch.aminmax(seen)
        if self.average and torch.isfinite(self.low):
            self.low += self.average * (low - self.low)
            self.high += self.average * (high - self.high)
        elif self.average:
            self.low.copy_(low)
            self.high.copy_(high)
        else:
            self.low.copy_(torch.minimum(self.low, low))
            self.high.copy_(torch.maximum(self.high, high))
        return x

    @property
    def seen(self) -> tuple[float, float]:
        """The lowest and the highest value; (inf, -inf) before the first."""
        return float(self.low), float(self.high)

    def covered(self) -> tuple[float, float]:
        """The range by its method."""
        low, high = self.seen
        if self.method == "minmax" or not self.counts.any():
            return low, high
        edges = torch.linspace(low, high, BINS + 1, dtype=torch.float64)
        if self.method == "percentile":
            share = self.counts.cumsum(0) / self.counts.sum()
            first = int((share <= SHARE).sum())
            last = int((share < 1 - SHARE).sum())
            return float(edges[min(first, BINS - 1)]), float(edges[min(last + 1, BINS)])
        return self._least_error((edges[1:] + edges[:-1]) / 2, low, high)

    def _least_error(self, centres: torch.Tensor, low: float, high: float) -> tuple[float, float]:
        """Both ends shrunk together, then each alone."""

        def error(a: float, b: float) -> float:
            scale, zero = affine(a, b, self.quant_min, self.quant_max)
            step = (centres / scale + zero).round().clamp(self.quant_min, self.quant_max)
            return float((((step - zero) * scale - centres) ** 2 * self.counts).sum())

        parts = [i / STEPS for i in range(1, STEPS + 1)]
        both = min(parts, key=lambda p: (error(p * low, p * high), -p))
        top = min(parts, key=lambda p: (error(both * low, p * high), -p))
        bottom = min(parts, key=lambda p: (error(p * low, top * high), -p))
        return bottom * low, top * high

    def calculate_qparams(self) -> tuple[torch.Tensor, torch.Tensor]:
        scale, zero = affine(*self.covered(), self.quant_min, self.quant_max)
        return torch.tensor([scale]), torch.tensor([zero], dtype=torch.int32)


class PerChannelWeight(ObserverBase):  # type: ignore[misc]
    """The scale of each output channel (axis ``ch_axis``) of the weight that was seen last.

    fixed: scales that are given. A channel of zeros has scale 1.
    """

    def __init__(
        self, dtype: torch.dtype = torch.int8, method: str = "minmax", fixed: torch.Tensor | None = None,
        quant_min: int = -127, quant_max: int = 127, ch_axis: int = 0,
        qscheme: torch.qscheme = torch.per_channel_symmetric, **_: Any,
    ) -> None:  # fmt: skip
        super().__init__(dtype)
        self.method, self.qscheme, self.ch_axis = method, qscheme, ch_axis
        self.quant_min, self.quant_max, self.fixed = quant_min, quant_max, fixed
        self.register_buffer("scale", torch.ones(1), persistent=False)
        self.register_buffer("rows", torch.zeros(1, 1), persistent=False)

    def forward(self, weight: torch.Tensor) -> torch.Tensor:
        rows = weight.detach().reshape(weight.shape[0] if self.qscheme == torch.per_channel_symmetric else 1, -1)
        self.scale = weight_scale(rows, self.quant_max, self.method) if self.fixed is None else self.fixed
        self.rows = rows
        return weight

    def first_step(self) -> torch.Tensor:
        """Where a learned step begins: at the least squared error. LSQ's own beginning, 2 mean|v| / sqrt(n), is far
        from it for a depthwise channel of nine values, and a few epochs do not make that good."""
        return weight_scale(self.rows, self.quant_max, "mse")

    def calculate_qparams(self) -> tuple[torch.Tensor, torch.Tensor]:
        return self.scale, torch.zeros(self.scale.shape, dtype=torch.int32)


class PerTensorWeight(PerChannelWeight):
    """One scale for the whole weight: what per-channel scales are measured against."""

    def __init__(self, **given: Any) -> None:
        super().__init__(**{**given, "qscheme": torch.per_tensor_symmetric})


def weight_scale(weight: torch.Tensor, most: int, method: str = "minmax") -> torch.Tensor:
    """[O], float32: the step of each output channel of ``weight`` [O, ...] with steps -most..most. A channel whose
    steps would be too small for a float to divide by counts as one of zeros: its scale is 1."""
    rows = weight.reshape(weight.shape[0], -1)
    reach = rows.abs().amax(1)
    scale = torch.where(reach > most * LEAST, reach / most, torch.ones_like(reach))
    if method != "mse":  # a channel has too few values to leave out a share of 1e-4
        return scale
    best, least = scale, torch.full_like(scale, torch.inf)
    for i in range(STEPS, STEPS // 4, -1):
        tried = scale * (i / STEPS)
        steps = (rows / tried[:, None]).round().clamp(-most, most) * tried[:, None]
        error = ((steps - rows) ** 2).sum(1)
        best, least = torch.where(error < least, tried, best), torch.minimum(error, least)
    return best
