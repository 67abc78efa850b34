"""EfficientNet-Lite0 to Lite4 with timm's state names, so that its public weights load.

Sources: tensorflow/tpu, models/official/efficientnet/lite/README.md (no squeeze-and-excitation, ReLU6, stem and head
not scaled; the five sizes); Tan and Le, arXiv:1905.11946, table 1 (the body); timm/models/efficientnet.py
``_gen_efficientnet_lite`` (names, rounding; the first and the last stage keep their one block).

``padding=same`` is TensorFlow's own network, timm's ``tf_efficientnet_lite*``: its padding, and batch norm's eps 1e-3.
"""

from __future__ import annotations

import math

import torch
from torch import nn

from selvedge.zoo.channels import make_divisible
from selvedge.zoo.depthwise_separable import DepthwiseSeparable, InvertedResidual
from selvedge.zoo.normalised import EPS, he_fan_out, normalised

STEM, HEAD = 32, 1280
TENSORFLOW_EPS = 1e-3
# Kernel, stride of the first, output channels, blocks; expansion 6 (1 in the first stage).
BODY = ((3, 1, 16, 1), (3, 2, 24, 2), (5, 2, 40, 2), (3, 2, 80, 3), (5, 1, 112, 3), (5, 2, 192, 4), (3, 1, 320, 1))
# Width, depth, resolution, dropout.
SIZES = ((1.0, 1.0, 224, 0.2), (1.0, 1.1, 240, 0.2), (1.1, 1.2, 260, 0.3), (1.2, 1.4, 280, 0.3), (1.4, 1.8, 300, 0.3))


class EfficientNetLite(nn.Module):
    """Images [N,3,H,W] -> logits [N,classes]; any H, W. ``size``: 0 to 4; ``width`` multiplies the size's own."""

    def __init__(
        self,
        size: int,
        width: float = 1.0,
        classes: int = 1000,
        norm: str = "batch",
        dropout: float = 0.2,
        padding: str = "symmetric",
    ) -> None:
        super().__init__()
        own_width, depth, _, _ = SIZES[size]
        eps = TENSORFLOW_EPS if padding == "same" else EPS
        self.conv_stem, self.bn1 = normalised(3, STEM, 3, norm, stride=2, eps=eps, padding=padding)
        self.act1 = nn.ReLU6()
        channels, stages = STEM, []
        for i, (kernel, first_stride, full, least) in enumerate(BODY):
            outputs = make_divisible(full * own_width * width)
            repeats = least if i in (0, len(BODY) - 1) else math.ceil(least * depth)
            stage: list[nn.Module] = []
            for block in range(repeats):
                stride = first_stride if block == 0 else 1
                if i == 0:
                    stage.append(DepthwiseSeparable(channels, outputs, kernel, stride, norm, eps=eps, padding=padding))
                else:
                    stage.append(InvertedResidual(channels, outputs, 6, kernel, stride, norm, eps=eps, padding=padding))
                channels = outputs
            stages.append(nn.Sequential(*stage))
        self.blocks = nn.Sequential(*stages)
        self.conv_head, self.bn2 = normalised(channels, HEAD, 1, norm, eps=eps)
        self.act2 = nn.ReLU6()
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.dropout = nn.Dropout(dropout)
        self.classifier = nn.Linear(HEAD, classes)
        he_fan_out(self)
        nn.init.uniform_(self.classifier.weight, -1 / math.sqrt(classes), 1 / math.sqrt(classes))
        nn.init.zeros_(self.classifier.bias)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.blocks(self.act1(self.bn1(self.conv_stem(x))))
        x = self.act2(self.bn2(self.conv_head(x)))
        logits: torch.Tensor = self.classifier(self.dropout(torch.flatten(self.avgpool(x), 1)))
        return logits
