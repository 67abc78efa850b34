"""A fully convolutional network over time, for motion and other sensors: three convolutions and a mean.

Sources: Wang et al., *Time Series Classification from Scratch with Deep Neural Networks*, arXiv:1611.06455, section
2.2 (kernels of 8, 5 and 3 over 128, 256 and 128 channels); its reference is a Keras network: biased convolutions of
``padding="same"``, batch norm with eps 1e-3. 264,704 parameters before the classifier with one sensor; the width takes
the square of it: 17,024 at width 0.25.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from selvedge.zoo.convolution import initialise, normalisation

# Channels and kernel of each convolution.
BODY = ((128, 8), (256, 5), (128, 3))


class SameConv1d(nn.Conv1d):
    """A convolution of stride 1 padded as Keras pads: x [N,I,T] -> [N,O,T]; the odd sample goes after."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        total = self.kernel_size[0] - 1
        return super().forward(functional.pad(x, (total // 2, total - total // 2)))


class FCN(nn.Module):
    """Samples [N,channels,T] -> logits [N,classes]; any T."""

    def __init__(self, width: float = 1.0, channels: int = 9, classes: int = 6, norm: str = "batch") -> None:
        super().__init__()
        inputs, blocks = channels, []
        for full, kernel in BODY:
            outputs = max(1, int(full * width))
            blocks.append(
                nn.Sequential(SameConv1d(inputs, outputs, kernel), normalisation(norm, outputs, axes=1), nn.ReLU())
            )
            inputs = outputs
        self.blocks = nn.Sequential(*blocks)
        self.avgpool = nn.AdaptiveAvgPool1d(1)
        self.fc = nn.Linear(inputs, classes)
        initialise(self)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.fc(torch.flatten(self.avgpool(self.blocks(x)), 1))
        return logits
