"""MobileNetV2 with torchvision's state names, so that its public weights load.

Sources: Sandler et al., *MobileNetV2: Inverted Residuals and Linear Bottlenecks*, arXiv:1801.04381, table 2
(the body), section 3.3 (the block) and section 4 (below width 1 the last convolution keeps its 1280
channels); torchvision/models/mobilenetv2.py (names, initialisation, rounding of channels to multiples of
8): 3,504,872 parameters at width 1 and 1000 classes.
"""

from __future__ import annotations

import torch
from torch import nn

from selvedge.zoo.channels import make_divisible
from selvedge.zoo.normalised import he_fan_out, normal_linear, normalised

STEM = 32
HEAD = 1280
# Expansion, output channels, blocks, stride of the first (table 2).
BODY = (
    (1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1),
)  # fmt: skip


class InvertedResidual(nn.Module):
    """Expand, filter by depth, project: x [N,I,H,W] -> [N,O,H/stride,W/stride], plus x where shapes agree."""

    def __init__(self, inputs: int, outputs: int, stride: int, expansion: int, norm: str) -> None:
        super().__init__()
        hidden = round(inputs * expansion)
        layers: list[nn.Module] = []
        if expansion != 1:
            layers.append(nn.Sequential(*normalised(inputs, hidden, 1, norm), nn.ReLU6()))
        depthwise = normalised(hidden, hidden, 3, norm, stride=stride, groups=hidden)
        layers.append(nn.Sequential(*depthwise, nn.ReLU6()))
        layers.extend(normalised(hidden, outputs, 1, norm))
        self.conv = nn.Sequential(*layers)
        self.residual = stride == 1 and inputs == outputs

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y: torch.Tensor = self.conv(x)
        return x + y if self.residual else y


class MobileNetV2(nn.Module):
    """Images [N,3,H,W] -> logits [N,classes]; any H, W."""

    def __init__(self, width: float = 1.0, classes: int = 1000, norm: str = "batch", dropout: float = 0.2) -> None:
        super().__init__()
        channels = make_divisible(STEM * width)
        head = make_divisible(HEAD * max(1.0, width))
        features: list[nn.Module] = [nn.Sequential(*normalised(3, channels, 3, norm, stride=2), nn.ReLU6())]
        for expansion, full, blocks, first_stride in BODY:
            outputs = make_divisible(full * width)
            for block in range(blocks):
                stride = first_stride if block == 0 else 1
                features.append(InvertedResidual(channels, outputs, stride, expansion, norm))
                channels = outputs
        features.append(nn.Sequential(*normalised(channels, head, 1, norm), nn.ReLU6()))
        self.features = nn.Sequential(*features)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Sequential(nn.Dropout(dropout), nn.Linear(head, classes))
        he_fan_out(self)
        normal_linear(self)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.classifier(torch.flatten(self.avgpool(self.features(x)), 1))
        return logits
