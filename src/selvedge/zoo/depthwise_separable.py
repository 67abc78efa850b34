"""The two blocks of timm's mobile networks, with its state names.

Source: timm/models/_efficientnet_blocks.py, ``DepthwiseSeparableConv`` (Howard et al., arXiv:1704.04861, figure 3)
and ``InvertedResidual`` (Sandler et al., arXiv:1801.04381, section 3.3), without squeeze-and-excitation, with ReLU6.
"""

from __future__ import annotations

import torch
from torch import nn

from selvedge.zoo.normalised import EPS, normalised


class DepthwiseSeparable(nn.Module):
    """Filter by depth, then mix channels: x [N,I,H,W] -> [N,O,H/stride,W/stride].

    active: an activation after the mixing (MobileNetV1), and x is never added; else x is where the shapes agree.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: int,
        stride: int,
        norm: str,
        *,
        active: bool = False,
        eps: float = EPS,
        padding: str = "symmetric",
    ) -> None:
        super().__init__()
        self.conv_dw, self.bn1 = normalised(
            inputs, inputs, kernel, norm, stride=stride, groups=inputs, eps=eps, padding=padding
        )
        self.act1 = nn.ReLU6()
        self.conv_pw, self.bn2 = normalised(inputs, outputs, 1, norm, eps=eps)
        self.act2 = nn.ReLU6() if active else nn.Identity()
        self.residual = stride == 1 and inputs == outputs and not active

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y: torch.Tensor = self.act1(self.bn1(self.conv_dw(x)))
        y = self.act2(self.bn2(self.conv_pw(y)))
        return x + y if self.residual else y


class InvertedResidual(nn.Module):
    """Expand, filter by depth, project: x [N,I,H,W] -> [N,O,H/stride,W/stride], plus x where the shapes agree."""

    def __init__(
        self,
        inputs: int,
        outputs: int,
        expansion: int,
        kernel: int,
        stride: int,
        norm: str,
        *,
        eps: float = EPS,
        padding: str = "symmetric",
    ) -> None:
        super().__init__()
        expanded = inputs * expansion
        self.conv_pw, self.bn1 = normalised(inputs, expanded, 1, norm, eps=eps)
        self.act1 = nn.ReLU6()
        self.conv_dw, self.bn2 = normalised(
            expanded, expanded, kernel, norm, stride=stride, groups=expanded, eps=eps, padding=padding
        )
        self.act2 = nn.ReLU6()
        self.conv_pwl, self.bn3 = normalised(expanded, outputs, 1, norm, eps=eps)
        self.residual = stride == 1 and inputs == outputs

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y: torch.Tensor = self.act1(self.bn1(self.conv_pw(x)))
        y = self.bn3(self.conv_pwl(self.act2(self.bn2(self.conv_dw(y)))))
        return x + y if self.residual else y
