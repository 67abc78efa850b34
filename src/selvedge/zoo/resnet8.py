"""ResNet-8 for CIFAR-10, MLPerf Tiny's image classifier.

Sources: He et al., *Deep Residual Learning for Image Recognition*, arXiv:1512.03385, section 4.2 (the
CIFAR-10 family, here with three stages of one block); Banbury et al., *MLPerf Tiny Benchmark*,
arXiv:2106.07597, section 4; the reference ``resnet_v1_eembc`` (mlcommons/tiny,
benchmark/training/image_classification), whose every convolution has a bias, whose projections have no
batch norm, and which has 78,666 parameters and statistics with batch norm, 77,706 without. State names are
those of mlcommons/tiny's PyTorch port.
"""

from __future__ import annotations

import torch
from torch import nn

from selvedge.zoo.channels import make_divisible
from selvedge.zoo.convolution import convolution, initialise, normalisation


class ResidualBlock(nn.Module):
    """relu(x' + f(x)): x [N,I,H,W] -> [N,O,H/stride,W/stride]; x' is x, or its 1x1 projection when O != I."""

    def __init__(self, inputs: int, outputs: int, stride: int, norm: str, padding: str) -> None:
        super().__init__()
        self.block = nn.Sequential(
            convolution(inputs, outputs, 3, stride=stride, padding=padding),
            normalisation(norm, outputs),
            nn.ReLU(),
            convolution(outputs, outputs, 3),
            normalisation(norm, outputs),
        )
        projected = inputs != outputs
        self.residual = nn.Conv2d(inputs, outputs, 1, stride) if projected else nn.Identity()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.relu(self.residual(x) + self.block(x))


class ResNet8(nn.Module):
    """Images [N,3,32,32] (the reference was trained on raw 0..255) -> logits [N,classes]; ``width`` times 16,
    32 and 64 channels."""

    def __init__(self, width: float = 1.0, classes: int = 10, norm: str = "batch", padding: str = "symmetric") -> None:
        super().__init__()
        first, second, third = (make_divisible(c * width, 4) for c in (16, 32, 64))
        self.stem = nn.Sequential(convolution(3, first, 3), normalisation(norm, first), nn.ReLU())
        self.first_stack = ResidualBlock(first, first, 1, norm, padding)
        self.second_stack = ResidualBlock(first, second, 2, norm, padding)
        self.third_stack = ResidualBlock(second, third, 2, norm, padding)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(third, classes)
        initialise(self)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.third_stack(self.second_stack(self.first_stack(self.stem(x))))
        logits: torch.Tensor = self.fc(torch.flatten(self.avgpool(x), 1))
        return logits
