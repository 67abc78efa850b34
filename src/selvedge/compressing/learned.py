"""Learned step size: fake quantisation whose scale is a parameter.

Esser et al., "Learned Step Size Quantization" (2020), arXiv:1902.08153: the gradient of the scale s at a value v is
round(v / s) - v / s inside the range and the end it is clipped to outside (section 2.1), times 1 / sqrt(N * n) for N
values and the largest step n (section 2.2). A weight's s begins where its squared error is least, an activation's at
the range of the first batches. Zero points of activations stay where the range put them, so that zero keeps its step.

What is learned is the logarithm of the step (Jain et al., "Trained Quantization Thresholds", arXiv:1903.08066, section
3.2 and appendix B): Adam moves every parameter by about its rate, whatever its gradient, and a rate that suits weights
would be many times a step of 0.01.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from .pt2e import FakeQuantizeBase
from .ranges import PerChannelWeight

LEAST = 1e-8  # a scale to begin with


class LearnedStep(FakeQuantizeBase):  # type: ignore[misc]
    """``observer``: makes what finds the range that is begun with. Until :meth:`begin` it only observes."""

    def __init__(self, observer: Any, **given: Any) -> None:
        super().__init__()
        self.activation_post_process = observer(**given)
        seen = self.activation_post_process
        self.dtype, self.qscheme, self.ch_axis = seen.dtype, seen.qscheme, getattr(seen, "ch_axis", -1)
        self.quant_min, self.quant_max, self.is_dynamic = seen.quant_min, seen.quant_max, False
        self.log_scale = nn.Parameter(torch.zeros(1))
        self.register_buffer("zero_point", torch.zeros(1))
        self.register_buffer("begun", torch.zeros((), dtype=torch.bool))

    @property
    def per_channel(self) -> bool:
        return bool(self.qscheme == torch.per_channel_symmetric)

    @property
    def scale(self) -> torch.Tensor:
        return self.log_scale.exp()

    @torch.no_grad()
    def begin(self) -> None:
        """Take the range that was seen as the one to learn from."""
        scale, zero = self.activation_post_process.calculate_qparams()
        if isinstance(self.activation_post_process, PerChannelWeight):
            scale = self.activation_post_process.first_step()
        self.log_scale.data = scale.float().clamp(min=LEAST).log()
        self.zero_point = zero.float()
        self.begun.fill_(True)

    def calculate_qparams(self, **_: Any) -> tuple[torch.Tensor, torch.Tensor]:
        if not self.begun:
            scale, zero = self.activation_post_process.calculate_qparams()
            return scale, zero
        return self.scale.detach(), self.zero_point.int()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if not self.begun:
            self.activation_post_process(x.detach())
            return x
        if not self.fake_quant_enabled[0]:
            return x
        scale = self.scale
        count = x.numel() // len(scale) if self.per_channel else x.numel()
        factor = 1.0 / (count * self.quant_max) ** 0.5
        scale = scale * factor + (scale - scale * factor).detach()
        axis = self.ch_axis if self.per_channel else -1
        rounded: Any = _Round
        made: torch.Tensor = rounded.apply(x, scale, self.zero_point, axis, self.quant_min, self.quant_max)
        return made


class _Round(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, x: torch.Tensor, scale: torch.Tensor, zero: torch.Tensor, axis: int, low: int, high: int
    ) -> Any:
        s, z = along(scale, x, axis), along(zero, x, axis)
        whole = x / s + z
        steps = whole.round().clamp(low, high)
        ctx.save_for_backward(whole, steps, z, (whole >= low) & (whole <= high))
        ctx.axis, ctx.shape = axis, scale.shape
        return (steps - z) * s

    @staticmethod
    def backward(ctx: Any, *grads: torch.Tensor) -> Any:
        (grad,) = grads
        whole, steps, z, inside = ctx.saved_tensors
        by_scale = grad * torch.where(inside, steps - whole, steps - z)
        if ctx.axis >= 0:
            by_scale = by_scale.movedim(ctx.axis, 0).reshape(ctx.shape[0], -1).sum(1)
        else:
            by_scale = by_scale.sum().reshape(ctx.shape)
        return grad * inside, by_scale, None, None, None, None


def along(value: torch.Tensor, x: torch.Tensor, axis: int) -> torch.Tensor:
    """A value a channel in the shape that goes with ``x``."""
    if axis < 0:
        return value
    return value.reshape(*(1,) * axis, -1, *(1,) * (x.dim() - axis - 1))
