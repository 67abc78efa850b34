"""ShuffleNet V2 at its four published sizes, with torchvision's state names, so that its public weights load.

Sources: Ma et al., *ShuffleNet V2*, arXiv:1807.11164, table 5 (the sizes) and figure 3 (c, d) (the blocks);
torchvision/models/shufflenetv2.py (names): 1,366,792, 2,278,604, 3,503,624 and 7,393,996 parameters at 1000 classes.
"""

from __future__ import annotations

import torch
from torch import nn

from selvedge.zoo.normalised import normalised

STEM = 24
BLOCKS = (4, 8, 4)
# Channels of the three stages, and of the last convolution (table 5).
SIZES = {
    0.5: (48, 96, 192, 1024),
    1.0: (116, 232, 464, 1024),
    1.5: (176, 352, 704, 1024),
    2.0: (244, 488, 976, 2048),
}


def shuffle(x: torch.Tensor) -> torch.Tensor:
    """Channels [a0..an b0..bn] -> [a0 b0 .. an bn]: what came by one branch goes on by both (figure 3)."""
    batch, channels, height, width = x.shape
    pairs = x.view(batch, 2, channels // 2, height, width).transpose(1, 2)
    return pairs.contiguous().view(batch, channels, height, width)


class InvertedResidual(nn.Module):
    """x [N,I,H,W] -> [N,O,H/stride,W/stride]. At stride 1, I = O and half of the channels pass untouched."""

    def __init__(self, inputs: int, outputs: int, stride: int, norm: str) -> None:
        super().__init__()
        half = outputs // 2
        self.splits = stride == 1
        self.branch1 = nn.Sequential()
        if not self.splits:
            self.branch1 = nn.Sequential(
                *normalised(inputs, inputs, 3, norm, stride=stride, groups=inputs),
                *normalised(inputs, half, 1, norm),
                nn.ReLU(),
            )
        self.branch2 = nn.Sequential(
            *normalised(half if self.splits else inputs, half, 1, norm),
            nn.ReLU(),
            *normalised(half, half, 3, norm, stride=stride, groups=half),
            *normalised(half, half, 1, norm),
            nn.ReLU(),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.splits:
            kept, x = x.chunk(2, dim=1)
        else:
            kept = self.branch1(x)
        return shuffle(torch.cat((kept, self.branch2(x)), dim=1))


class ShuffleNetV2(nn.Module):
    """Images [N,3,H,W] -> logits [N,classes]; any H, W. ``size``: 0.5, 1.0, 1.5 or 2.0."""

    def __init__(self, size: float, classes: int = 1000, norm: str = "batch") -> None:
        super().__init__()
        *stages, head = SIZES[size]
        self.conv1 = nn.Sequential(*normalised(3, STEM, 3, norm, stride=2), nn.ReLU())
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        self.stage2 = self._stage(STEM, stages[0], BLOCKS[0], norm)
        self.stage3 = self._stage(stages[0], stages[1], BLOCKS[1], norm)
        self.stage4 = self._stage(stages[1], stages[2], BLOCKS[2], norm)
        self.conv5 = nn.Sequential(*normalised(stages[2], head, 1, norm), nn.ReLU())
        self.fc = nn.Linear(head, classes)

    @staticmethod
    def _stage(inputs: int, outputs: int, blocks: int, norm: str) -> nn.Sequential:
        first = InvertedResidual(inputs, outputs, 2, norm)
        return nn.Sequential(first, *(InvertedResidual(outputs, outputs, 1, norm) for _ in range(blocks - 1)))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.stage4(self.stage3(self.stage2(self.maxpool(self.conv1(x)))))
        logits: torch.Tensor = self.fc(self.conv5(x).mean([2, 3]))
        return logits
