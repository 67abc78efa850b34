"""MobileNetV2 with torchvision's state names, so that its public weights load.

Sources: Sandler et al., *MobileNetV2: Inverted Residuals and Linear Bottlenecks*, arXiv:1801.04381, table 2
(the body), section 3.3 (the block) and section 4 (below width 1 the last convolution keeps its 1280
channels); torchvision/models/mobilenetv2.py (names, initialisation, rounding of channels to multiples of
8): 3,504,872 parameters at width 1 and 1000 classes.
"""

from __future__ import annotations

import torch
from torch import nn

STEM = 32
HEAD = 1280
# Expansion, output channels, blocks, stride of the first (table 2).
BODY = (
    (1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1),
)  # fmt: skip


def make_divisible(channels: float, divisor: int = 8) -> int:
    """The nearest multiple of ``divisor``, at least ``divisor``, never below 90 % of ``channels``.

    torchvision/models/_utils.py, after tensorflow/models slim ``mobilenet``.
    """
    rounded = max(divisor, int(channels + divisor / 2) // divisor * divisor)
    return rounded + divisor if rounded < 0.9 * channels else rounded


def _unit(
    inputs: int, outputs: int, kernel: int, norm: str, *, stride: int = 1, groups: int = 1
) -> tuple[nn.Conv2d, nn.Module]:
    """A convolution and its norm. Without a norm the convolution takes over its bias."""
    conv = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=norm == "none")
    return conv, nn.BatchNorm2d(outputs) if norm == "batch" else nn.Identity()


class InvertedResidual(nn.Module):
    """Expand, filter by depth, project: x [N,I,H,W] -> [N,O,H/stride,W/stride], plus x where shapes agree."""

    def __init__(self, inputs: int, outputs: int, stride: int, expansion: int, norm: str) -> None:
        super().__init__()
        hidden = round(inputs * expansion)
        layers: list[nn.Module] = []
        if expansion != 1:
            layers.append(nn.Sequential(*_unit(inputs, hidden, 1, norm), nn.ReLU6()))
        depthwise = _unit(hidden, hidden, 3, norm, stride=stride, groups=hidden)
        layers.append(nn.Sequential(*depthwise, nn.ReLU6()))
        layers.extend(_unit(hidden, outputs, 1, norm))
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
        features: list[nn.Module] = [nn.Sequential(*_unit(3, channels, 3, norm, stride=2), nn.ReLU6())]
        for expansion, full, blocks, first_stride in BODY:
            outputs = make_divisible(full * width)
            for block in range(blocks):
                stride = first_stride if block == 0 else 1
                features.append(InvertedResidual(channels, outputs, stride, expansion, norm))
                channels = outputs
        features.append(nn.Sequential(*_unit(channels, head, 1, norm), nn.ReLU6()))
        self.features = nn.Sequential(*features)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Sequential(nn.Dropout(dropout), nn.Linear(head, classes))
        self._initialise()

    def _initialise(self) -> None:
        """As torchvision: He-normal over the fan-out; the classifier normal with deviation 0.01."""
        for part in self.modules():
            if isinstance(part, nn.Conv2d):
                nn.init.kaiming_normal_(part.weight, mode="fan_out")
                if part.bias is not None:
                    nn.init.zeros_(part.bias)
            elif isinstance(part, nn.Linear):
                nn.init.normal_(part.weight, 0.0, 0.01)
                nn.init.zeros_(part.bias)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.classifier(torch.flatten(self.avgpool(self.features(x)), 1))
        return logits
