"""EfficientNet-B0 with torchvision's state names, so that its public weights load.

Sources: Tan and Le, *EfficientNet*, arXiv:1905.11946, table 1 (the body) and section 5 (swish, dropout 0.2);
torchvision/models/efficientnet.py (names, initialisation, the squeeze a quarter of the block's input): 5,288,548
parameters at width 1 and 1000 classes. Stochastic depth, which holds no state and vanishes in evaluation, is left out.
"""

from __future__ import annotations

import math

import torch
from torch import nn

from selvedge.zoo.channels import make_divisible
from selvedge.zoo.normalised import he_fan_out, normalised
from selvedge.zoo.squeeze_excitation import SqueezeExcitation

STEM = 32
# Expansion, kernel, stride of the first, output channels, blocks (table 1).
BODY = (
    (1, 3, 1, 16, 1), (6, 3, 2, 24, 2), (6, 5, 2, 40, 2), (6, 3, 2, 80, 3), (6, 5, 1, 112, 3), (6, 5, 2, 192, 4),
    (6, 3, 1, 320, 1),
)  # fmt: skip


class MBConv(nn.Module):
    """Expand, filter by depth, weigh the channels, project: x [N,I,H,W] -> [N,O,H/stride,W/stride], plus x where the
    shapes agree."""

    def __init__(self, inputs: int, outputs: int, expansion: int, kernel: int, stride: int, norm: str) -> None:
        super().__init__()
        expanded = make_divisible(inputs * expansion)
        layers: list[nn.Module] = []
        if expanded != inputs:
            layers.append(nn.Sequential(*normalised(inputs, expanded, 1, norm), nn.SiLU()))
        depthwise = normalised(expanded, expanded, kernel, norm, stride=stride, groups=expanded)
        layers.append(nn.Sequential(*depthwise, nn.SiLU()))
        layers.append(SqueezeExcitation(expanded, max(1, inputs // 4), nn.SiLU(), nn.Sigmoid()))
        layers.append(nn.Sequential(*normalised(expanded, outputs, 1, norm)))
        self.block = nn.Sequential(*layers)
        self.residual = stride == 1 and inputs == outputs

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y: torch.Tensor = self.block(x)
        return x + y if self.residual else y


class EfficientNetB0(nn.Module):
    """Images [N,3,H,W] -> logits [N,classes]; any H, W."""

    def __init__(self, width: float = 1.0, classes: int = 1000, norm: str = "batch", dropout: float = 0.2) -> None:
        super().__init__()
        channels = make_divisible(STEM * width)
        features: list[nn.Module] = [nn.Sequential(*normalised(3, channels, 3, norm, stride=2), nn.SiLU())]
        for expansion, kernel, first_stride, full, blocks in BODY:
            outputs = make_divisible(full * width)
            stage = []
            for block in range(blocks):
                stage.append(MBConv(channels, outputs, expansion, kernel, first_stride if block == 0 else 1, norm))
                channels = outputs
            features.append(nn.Sequential(*stage))
        features.append(nn.Sequential(*normalised(channels, 4 * channels, 1, norm), nn.SiLU()))
        self.features = nn.Sequential(*features)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        head = nn.Linear(4 * channels, classes)
        self.classifier = nn.Sequential(nn.Dropout(dropout), head)
        he_fan_out(self)
        nn.init.uniform_(head.weight, -1 / math.sqrt(classes), 1 / math.sqrt(classes))
        nn.init.zeros_(head.bias)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.classifier(torch.flatten(self.avgpool(self.features(x)), 1))
        return logits
