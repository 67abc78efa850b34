"""The networks of on-device training under 256 KB: MCUNet-5fps, ProxylessNAS-w0.3 and MobileNetV2-w0.35, with MCUNet's
state names.

Sources: Lin et al., *MCUNet*, arXiv:2007.10319; Cai et al., *ProxylessNAS*, arXiv:1812.00332; Lin et al., *On-Device
Training Under 256KB Memory*, arXiv:2206.15472. The bodies are those of mit-han-lab/tiny-training,
algorithm/assets/mcu_models, at 128x128; names as in mit-han-lab/mcunet, mcunet/tinynas/elastic_nn/networks/
ofa_proxyless.py, of which these are subnets. MCUNet's own ProxylessNAS and MobileNetV2 have a head convolution of 384
and 448 channels, which tiny-training took out: ``head`` puts it back. tiny-training's int8 weights, whose norms are
folded, load with :func:`selvedge.zoo.int8.load`.
"""

from __future__ import annotations

import torch
from torch import nn

from selvedge.zoo.normalised import he_fan_out, normal_linear, normalised

STEM = 16
# Expanded channels, output channels, kernel, stride of each block; expanded 0: no expansion.
BODIES = {
    "mcunet-5fps": (
        (0, 8, 3, 1), (32, 16, 3, 2), (48, 16, 3, 1), (48, 24, 7, 2), (120, 24, 3, 1), (120, 40, 3, 2),
        (160, 40, 7, 1), (160, 48, 5, 1), (144, 48, 3, 1), (192, 48, 3, 1), (240, 96, 7, 2), (384, 96, 5, 1),
        (384, 96, 5, 1), (576, 160, 3, 1),
    ),
    "proxyless-w0.3": (
        (0, 8, 3, 1), (24, 16, 5, 2), (48, 16, 3, 1), (48, 16, 7, 2), (48, 16, 3, 1), (48, 16, 5, 1), (48, 16, 5, 1),
        (96, 24, 7, 2), (72, 24, 5, 1), (72, 24, 5, 1), (72, 24, 5, 1), (144, 32, 5, 1), (96, 32, 5, 1),
        (96, 32, 5, 1), (96, 32, 5, 1), (192, 64, 7, 2), (384, 64, 7, 1), (192, 64, 7, 1), (192, 64, 7, 1),
        (384, 96, 7, 1),
    ),
    "mbv2-w0.35": (
        (0, 8, 3, 1), (48, 8, 3, 2), (48, 8, 3, 1), (48, 16, 3, 2), (96, 16, 3, 1), (96, 16, 3, 1), (96, 24, 3, 2),
        (144, 24, 3, 1), (144, 24, 3, 1), (144, 24, 3, 1), (144, 32, 3, 1), (192, 32, 3, 1), (192, 32, 3, 1),
        (192, 56, 3, 2), (336, 56, 3, 1), (336, 56, 3, 1), (336, 112, 3, 1),
    ),
}  # fmt: skip


class Unit(nn.Module):
    """Convolution ``conv``, norm ``bn`` and, where it is active, ReLU6: [N,I,H,W] -> [N,O,H/stride,W/stride]."""

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: int,
        norm: str,
        *,
        stride: int = 1,
        groups: int = 1,
        active: bool = True,
    ) -> None:
        super().__init__()
        self.conv, self.bn = normalised(inputs, outputs, kernel, norm, stride=stride, groups=groups)
        self.act = nn.ReLU6() if active else nn.Identity()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y: torch.Tensor = self.act(self.bn(self.conv(x)))
        return y


class MobileInvertedConv(nn.Module):
    """Expand (unless ``expanded`` is 0), filter by depth, project: [N,I,H,W] -> [N,O,H/stride,W/stride]."""

    def __init__(self, inputs: int, expanded: int, outputs: int, kernel: int, stride: int, norm: str) -> None:
        super().__init__()
        wide = expanded or inputs
        self.inverted_bottleneck = Unit(inputs, expanded, 1, norm) if expanded else nn.Identity()
        self.depth_conv = Unit(wide, wide, kernel, norm, stride=stride, groups=wide)
        self.point_linear = Unit(wide, outputs, 1, norm, active=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y: torch.Tensor = self.point_linear(self.depth_conv(self.inverted_bottleneck(x)))
        return y


class Block(nn.Module):
    """An inverted bottleneck, plus x where the shapes agree."""

    def __init__(self, inputs: int, expanded: int, outputs: int, kernel: int, stride: int, norm: str) -> None:
        super().__init__()
        self.mobile_inverted_conv = MobileInvertedConv(inputs, expanded, outputs, kernel, stride, norm)
        self.residual = stride == 1 and inputs == outputs

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y: torch.Tensor = self.mobile_inverted_conv(x)
        return x + y if self.residual else y


class Classifier(nn.Module):
    """Features [N,C] -> logits [N,classes]."""

    def __init__(self, channels: int, classes: int, dropout: float) -> None:
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        self.linear = nn.Linear(channels, classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.linear(self.dropout(x))
        return logits


class MCUNet(nn.Module):
    """Images [N,3,H,W], values in -1 .. 1, -> logits [N,classes]; any H, W.

    body: a name in ``BODIES``. head: channels of a convolution before the mean; 0 for none.
    """

    def __init__(
        self, body: str, classes: int = 1000, norm: str = "batch", dropout: float = 0.0, head: int = 0
    ) -> None:
        super().__init__()
        self.first_conv = Unit(3, STEM, 3, norm, stride=2)
        channels, blocks = STEM, []
        for expanded, outputs, kernel, stride in BODIES[body]:
            blocks.append(Block(channels, expanded, outputs, kernel, stride, norm))
            channels = outputs
        self.blocks = nn.Sequential(*blocks)
        self.feature_mix_layer = Unit(channels, head, 1, norm) if head else nn.Identity()
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.classifier = Classifier(head or channels, classes, dropout)
        he_fan_out(self)
        normal_linear(self)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        features = self.feature_mix_layer(self.blocks(self.first_conv(x)))
        logits: torch.Tensor = self.classifier(torch.flatten(self.avgpool(features), 1))
        return logits
