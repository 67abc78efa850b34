"""MobileNetV1, in MLPerf Tiny's visual wake words form by default: width 0.25, 96x96, person or no person.

Sources: Howard et al., *MobileNets*, arXiv:1704.04861, table 1 (the body) and section 3.3 (the width
multiplier, channels truncated to integers as Keras does); Chowdhery et al., *Visual Wake Words Dataset*,
arXiv:1906.05721; the reference ``vww_model`` (mlcommons/tiny, benchmark/training/visual_wake_words): ReLU,
biased convolutions, 221,794 parameters and statistics with batch norm, 210,850 without.
"""

from __future__ import annotations

import torch
from torch import nn

from selvedge.zoo.convolution import convolution, initialise, normalisation

STEM = 32
# Output channels and stride of each depthwise-separable block (table 1).
BODY = (
    (64, 1), (128, 2), (128, 1), (256, 2), (256, 1),
    (512, 2), (512, 1), (512, 1), (512, 1), (512, 1), (512, 1), (1024, 2), (1024, 1),
)  # fmt: skip


class MobileNetV1(nn.Module):
    """Images [N,3,H,W] -> logits [N,classes]; any H, W."""

    def __init__(self, width: float = 0.25, classes: int = 2, norm: str = "batch", padding: str = "symmetric") -> None:
        super().__init__()
        channels = int(STEM * width)
        self.stem = nn.Sequential(
            convolution(3, channels, 3, stride=2, padding=padding),
            normalisation(norm, channels),
            nn.ReLU(),
        )
        blocks = []
        for full, stride in BODY:
            outputs = int(full * width)
            blocks.append(self._block(channels, outputs, stride, norm, padding))
            channels = outputs
        self.blocks = nn.Sequential(*blocks)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(channels, classes)
        initialise(self)

    @staticmethod
    def _block(inputs: int, outputs: int, stride: int, norm: str, padding: str) -> nn.Sequential:
        return nn.Sequential(
            convolution(inputs, inputs, 3, stride=stride, groups=inputs, padding=padding),
            normalisation(norm, inputs),
            nn.ReLU(),
            convolution(inputs, outputs, 1),
            normalisation(norm, outputs),
            nn.ReLU(),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.fc(torch.flatten(self.avgpool(self.blocks(self.stem(x))), 1))
        return logits
