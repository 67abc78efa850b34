"""MobileNetV1 for ImageNet with timm's state names, so that its public weights load.

Sources: Howard et al., *MobileNets*, arXiv:1704.04861, table 1 (the body) and section 3.3 (the width multiplier);
timm/models/efficientnet.py ``_gen_mobilenet_v1`` (names, ReLU6, channels rounded to multiples of 8, no head
convolution): 4,231,976 parameters at width 1 and 1000 classes. MLPerf Tiny's form is in ``mobilenet_v1``.
"""

from __future__ import annotations

import torch
from torch import nn

from selvedge.zoo.channels import make_divisible
from selvedge.zoo.depthwise_separable import DepthwiseSeparable
from selvedge.zoo.normalised import he_fan_out, normal_linear, normalised

STEM = 32
# Output channels, stride of the first, blocks (table 1, grouped by resolution).
BODY = ((64, 1, 1), (128, 2, 2), (256, 2, 2), (512, 2, 6), (1024, 2, 2))


class MobileNetV1Full(nn.Module):
    """Images [N,3,H,W] -> logits [N,classes]; any H, W."""

    def __init__(self, width: float = 1.0, classes: int = 1000, norm: str = "batch", dropout: float = 0.0) -> None:
        super().__init__()
        channels = make_divisible(STEM * width)
        self.conv_stem, self.bn1 = normalised(3, channels, 3, norm, stride=2)
        self.act1 = nn.ReLU6()
        stages = []
        for full, first_stride, blocks in BODY:
            outputs = make_divisible(full * width)
            stage = []
            for block in range(blocks):
                stride = first_stride if block == 0 else 1
                stage.append(DepthwiseSeparable(channels, outputs, 3, stride, norm, active=True))
                channels = outputs
            stages.append(nn.Sequential(*stage))
        self.blocks = nn.Sequential(*stages)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.dropout = nn.Dropout(dropout)
        self.classifier = nn.Linear(channels, classes)
        he_fan_out(self)
        normal_linear(self)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.blocks(self.act1(self.bn1(self.conv_stem(x))))
        logits: torch.Tensor = self.classifier(self.dropout(torch.flatten(self.avgpool(x), 1)))
        return logits
