"""DS-CNN, MLPerf Tiny's keyword spotter: 49 frames of 10 MFCCs -> 12 words.

Sources: Zhang et al., *Hello Edge: Keyword Spotting on Microcontrollers*, arXiv:1711.07128 (DS-CNN, the
small size); Banbury et al., arXiv:2106.07597, section 4; the reference ``ds_cnn`` (mlcommons/tiny,
benchmark/training/keyword_spotting): biased convolutions, 24,908 parameters and statistics with batch norm,
22,604 without. The reference's two dropouts, which hold no state and vanish in evaluation, are left out.
"""

from __future__ import annotations

import torch
from torch import nn

from selvedge.zoo.channels import make_divisible
from selvedge.zoo.convolution import SameConv2d, convolution, initialise, normalisation

CHANNELS = 64
BLOCKS = 4


class DSCNN(nn.Module):
    """Features [N,1,49,10] -> logits [N,classes]; ``width`` times 64 channels, ``depth`` times four blocks."""

    def __init__(
        self, width: float = 1.0, depth: float = 1.0, classes: int = 12, norm: str = "batch",
        padding: str = "symmetric",
    ) -> None:  # fmt: skip
        super().__init__()
        channels = make_divisible(CHANNELS * width)
        # Both give 25x5; Keras pads the 49 rows by 4 and 5, symmetric padding must take 5 and 5.
        if padding == "same":
            first: nn.Conv2d = SameConv2d(1, channels, (10, 4), 2)
        else:
            first = nn.Conv2d(1, channels, (10, 4), 2, (5, 1))
        self.stem = nn.Sequential(first, normalisation(norm, channels), nn.ReLU())
        blocks = max(1, round(BLOCKS * depth))
        self.blocks = nn.Sequential(*(self._block(channels, norm) for _ in range(blocks)))
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(channels, classes)
        initialise(self)

    @staticmethod
    def _block(channels: int, norm: str) -> nn.Sequential:
        return nn.Sequential(
            convolution(channels, channels, 3, groups=channels),
            normalisation(norm, channels),
            nn.ReLU(),
            convolution(channels, channels, 1),
            normalisation(norm, channels),
            nn.ReLU(),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.fc(torch.flatten(self.avgpool(self.blocks(self.stem(x))), 1))
        return logits
