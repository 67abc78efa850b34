"""A convolutional text classifier over word or piece tokens.

Source: Kim, *Convolutional Neural Networks for Sentence Classification*, arXiv:1408.5882, section 2: windows of 3, 4
and 5 words, the maximum over time of each feature, dropout 0.5. Made for devices: 32 channels of embedding and 32
features a window where the paper has 300 and 100. By the maximum it does not matter how much padding follows a text.
"""

from __future__ import annotations

import torch
from torch import nn

WINDOWS = (3, 4, 5)


class TextCNN(nn.Module):
    """Tokens [N,T] (int32, 0 is padding), T of 5 or more, -> logits [N,classes]."""

    def __init__(
        self,
        vocabulary: int = 4096,
        embedding: int = 32,
        features: int = 32,
        classes: int = 4,
        dropout: float = 0.5,
    ) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, embedding, padding_idx=0)
        self.convs = nn.ModuleList(nn.Conv1d(embedding, features, window) for window in WINDOWS)
        self.relu, self.pool = nn.ReLU(), nn.AdaptiveMaxPool1d(1)
        self.dropout = nn.Dropout(dropout)
        self.fc = nn.Linear(features * len(WINDOWS), classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        words = self.embedding(x).transpose(1, 2)
        found = [torch.flatten(self.pool(self.relu(conv(words))), 1) for conv in self.convs]
        logits: torch.Tensor = self.fc(self.dropout(torch.cat(found, 1)))
        return logits
