"""Squeeze-and-excitation: every channel scaled by what the means of all channels say.

Source: Hu et al., *Squeeze-and-Excitation Networks*, arXiv:1709.01507, section 3; names as in
torchvision/ops/misc.py.
"""

from __future__ import annotations

import torch
from torch import nn


class SqueezeExcitation(nn.Module):
    """x [N,C,H,W] -> x scaled per image and channel, by gate(W2 activation(W1 mean(x)))."""

    def __init__(self, channels: int, squeezed: int, activation: nn.Module, gate: nn.Module) -> None:
        super().__init__()
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc1 = nn.Conv2d(channels, squeezed, 1)
        self.fc2 = nn.Conv2d(squeezed, channels, 1)
        self.activation = activation
        self.scale_activation = gate

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        scale: torch.Tensor = self.scale_activation(self.fc2(self.activation(self.fc1(self.avgpool(x)))))
        return scale * x
