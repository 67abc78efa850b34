"""MobileNetV3, small and large, with torchvision's state names, so that its public weights load.

Sources: Howard et al., *Searching for MobileNetV3*, arXiv:1905.02244, tables 1 and 2 (the bodies), section 5.2
(hard-swish) and section 5.3 (the squeeze is a quarter of the expansion); torchvision/models/mobilenetv3.py (names,
initialisation, rounding, batch norm's eps 1e-3 and momentum 0.01): 5,483,032 parameters (large) and 2,542,856 (small)
at width 1 and 1000 classes.
"""

from __future__ import annotations

import torch
from torch import nn

from selvedge.zoo.channels import make_divisible
from selvedge.zoo.normalised import he_fan_out, normal_linear, normalised
from selvedge.zoo.squeeze_excitation import SqueezeExcitation

EPS, MOMENTUM = 1e-3, 0.01
STEM = 16
RE, HS = nn.ReLU, nn.Hardswish

# Kernel, expanded channels, output channels, squeeze-and-excitation, activation, stride.
LARGE = (
    (3, 16, 16, False, RE, 1), (3, 64, 24, False, RE, 2), (3, 72, 24, False, RE, 1), (5, 72, 40, True, RE, 2),
    (5, 120, 40, True, RE, 1), (5, 120, 40, True, RE, 1), (3, 240, 80, False, HS, 2), (3, 200, 80, False, HS, 1),
    (3, 184, 80, False, HS, 1), (3, 184, 80, False, HS, 1), (3, 480, 112, True, HS, 1), (3, 672, 112, True, HS, 1),
    (5, 672, 160, True, HS, 2), (5, 960, 160, True, HS, 1), (5, 960, 160, True, HS, 1),
)  # fmt: skip
SMALL = (
    (3, 16, 16, True, RE, 2), (3, 72, 24, False, RE, 2), (3, 88, 24, False, RE, 1), (5, 96, 40, True, HS, 2),
    (5, 240, 40, True, HS, 1), (5, 240, 40, True, HS, 1), (5, 120, 48, True, HS, 1), (5, 144, 48, True, HS, 1),
    (5, 288, 96, True, HS, 2), (5, 576, 96, True, HS, 1), (5, 576, 96, True, HS, 1),
)  # fmt: skip
SIZES = {"large": (LARGE, 1280), "small": (SMALL, 1024)}


def _unit(inputs: int, outputs: int, kernel: int, norm: str, stride: int = 1, groups: int = 1) -> tuple[nn.Module, ...]:
    return normalised(inputs, outputs, kernel, norm, stride=stride, groups=groups, eps=EPS, momentum=MOMENTUM)


class InvertedResidual(nn.Module):
    """Expand, filter by depth, weigh the channels, project: x [N,I,H,W] -> [N,O,H/stride,W/stride], plus x where the
    shapes agree."""

    def __init__(
        self,
        inputs: int,
        expanded: int,
        outputs: int,
        kernel: int,
        stride: int,
        squeezes: bool,
        activation: type[nn.Module],
        norm: str,
    ) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        if expanded != inputs:
            layers.append(nn.Sequential(*_unit(inputs, expanded, 1, norm), activation()))
        layers.append(nn.Sequential(*_unit(expanded, expanded, kernel, norm, stride, expanded), activation()))
        if squeezes:
            squeezed = make_divisible(expanded // 4)
            layers.append(SqueezeExcitation(expanded, squeezed, nn.ReLU(), nn.Hardsigmoid()))
        layers.append(nn.Sequential(*_unit(expanded, outputs, 1, norm)))
        self.block = nn.Sequential(*layers)
        self.residual = stride == 1 and inputs == outputs

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y: torch.Tensor = self.block(x)
        return x + y if self.residual else y


class MobileNetV3(nn.Module):
    """Images [N,3,H,W] -> logits [N,classes]; any H, W. ``size``: "small" or "large"."""

    def __init__(
        self, size: str, width: float = 1.0, classes: int = 1000, norm: str = "batch", dropout: float = 0.2
    ) -> None:
        super().__init__()
        body, hidden = SIZES[size]
        channels = make_divisible(STEM * width)
        features: list[nn.Module] = [nn.Sequential(*_unit(3, channels, 3, norm, 2), nn.Hardswish())]
        for kernel, full_expanded, full_outputs, squeezes, activation, stride in body:
            expanded, outputs = make_divisible(full_expanded * width), make_divisible(full_outputs * width)
            features.append(InvertedResidual(channels, expanded, outputs, kernel, stride, squeezes, activation, norm))
            channels = outputs
        features.append(nn.Sequential(*_unit(channels, 6 * channels, 1, norm), nn.Hardswish()))
        self.features = nn.Sequential(*features)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        hidden = make_divisible(hidden * width)
        self.classifier = nn.Sequential(
            nn.Linear(6 * channels, hidden), nn.Hardswish(), nn.Dropout(dropout), nn.Linear(hidden, classes)
        )
        he_fan_out(self)
        normal_linear(self)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.classifier(torch.flatten(self.avgpool(self.features(x)), 1))
        return logits
