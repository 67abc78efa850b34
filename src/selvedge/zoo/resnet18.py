"""ResNet-18 with torchvision's state names, so that its public weights load.

Sources: He et al., *Deep Residual Learning for Image Recognition*, arXiv:1512.03385, table 1 (the body) and figure 2
(the block), projections where shapes differ (option B); torchvision/models/resnet.py (names): 11,689,512 parameters
at 1000 classes.
"""

from __future__ import annotations

import torch
from torch import nn

from selvedge.zoo.normalised import he_fan_out, normalised

STEM = 64
# Output channels and stride of the first of two blocks.
BODY = ((64, 1), (128, 2), (256, 2), (512, 2))


class BasicBlock(nn.Module):
    """relu(x' + f(x)): x [N,I,H,W] -> [N,O,H/stride,W/stride]; x' is x, or its 1x1 projection where shapes differ."""

    def __init__(self, inputs: int, outputs: int, stride: int, norm: str) -> None:
        super().__init__()
        self.conv1, self.bn1 = normalised(inputs, outputs, 3, norm, stride=stride)
        self.relu = nn.ReLU()
        self.conv2, self.bn2 = normalised(outputs, outputs, 3, norm)
        same = stride == 1 and inputs == outputs
        self.downsample = nn.Identity() if same else nn.Sequential(*normalised(inputs, outputs, 1, norm, stride=stride))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.bn2(self.conv2(self.relu(self.bn1(self.conv1(x)))))
        return self.relu(y + self.downsample(x))  # type: ignore[no-any-return]


class ResNet18(nn.Module):
    """Images [N,3,H,W] -> logits [N,classes]; any H, W."""

    def __init__(self, classes: int = 1000, norm: str = "batch") -> None:
        super().__init__()
        self.conv1, self.bn1 = normalised(3, STEM, 7, norm, stride=2)
        self.relu = nn.ReLU()
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        layers, channels = [], STEM
        for outputs, stride in BODY:
            layers.append(
                nn.Sequential(BasicBlock(channels, outputs, stride, norm), BasicBlock(outputs, outputs, 1, norm))
            )
            channels = outputs
        self.layer1, self.layer2, self.layer3, self.layer4 = layers
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(channels, classes)
        he_fan_out(self)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        logits: torch.Tensor = self.fc(torch.flatten(self.avgpool(x), 1))
        return logits
