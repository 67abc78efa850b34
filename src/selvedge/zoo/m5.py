"""M5, a convolutional network over raw sound, as the PyTorch tutorial has it.

Sources: Dai et al., *Very Deep Convolutional Neural Networks for Raw Waveforms*, arXiv:1610.00087, table 1 (M5; its
128 channels are 32 here, and the first stride 16); the tutorial *Speech Command Classification with torchaudio*
(pytorch/tutorials, intermediate_source/speech_command_classification_with_torchaudio_tutorial.py), whose state names
these are: 26,915 parameters at 35 classes. Logits come out where the tutorial ends in log-softmax.
"""

from __future__ import annotations

import torch
from torch import nn

CHANNELS = 32
FIRST_KERNEL, FIRST_STRIDE = 80, 16


def _norm(norm: str, channels: int) -> nn.Module:
    return nn.BatchNorm1d(channels) if norm == "batch" else nn.Identity()


class M5(nn.Module):
    """Sound [N,1,T], one second at 8 kHz being 8000 samples, -> logits [N,classes]; T of 6848 or more."""

    def __init__(self, width: float = 1.0, classes: int = 35, norm: str = "batch") -> None:
        super().__init__()
        channels = max(1, int(CHANNELS * width))
        self.conv1 = nn.Conv1d(1, channels, FIRST_KERNEL, FIRST_STRIDE)
        self.bn1 = _norm(norm, channels)
        self.conv2 = nn.Conv1d(channels, channels, 3)
        self.bn2 = _norm(norm, channels)
        self.conv3 = nn.Conv1d(channels, 2 * channels, 3)
        self.bn3 = _norm(norm, 2 * channels)
        self.conv4 = nn.Conv1d(2 * channels, 2 * channels, 3)
        self.bn4 = _norm(norm, 2 * channels)
        self.relu, self.pool = nn.ReLU(), nn.MaxPool1d(4)
        self.avgpool = nn.AdaptiveAvgPool1d(1)
        self.fc1 = nn.Linear(2 * channels, classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for conv, bn in (
            (self.conv1, self.bn1),
            (self.conv2, self.bn2),
            (self.conv3, self.bn3),
            (self.conv4, self.bn4),
        ):
            x = self.pool(self.relu(bn(conv(x))))
        logits: torch.Tensor = self.fc1(torch.flatten(self.avgpool(x), 1))
        return logits
