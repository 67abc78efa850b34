"""Recurrent keyword spotters: frames of 10 MFCCs -> 12 words.

Sources: Zhang et al., *Hello Edge: Keyword Spotting on Microcontrollers*, arXiv:1711.07128, sections 3.3 and 4
(the small sizes); the reference's train_commands.txt (ARM-software/ML-KWS-for-MCU): a GRU of 154 units over 25 frames,
78,090 weights, and an LSTM of 118 units over 49 frames, 62,316 weights. PyTorch's cells hold a second bias for each
gate: 462 and 472 parameters more.
"""

from __future__ import annotations

import torch
from torch import nn

FEATURES = 10
CELLS = {"gru": nn.GRU, "lstm": nn.LSTM}


class KeywordRNN(nn.Module):
    """Features [N,T,10] -> logits [N,classes], from the state after the last frame. ``cell``: "gru" or "lstm"."""

    def __init__(self, cell: str, hidden: int, classes: int = 12) -> None:
        super().__init__()
        self.rnn = CELLS[cell](FEATURES, hidden, batch_first=True)
        self.fc = nn.Linear(hidden, classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        states, _ = self.rnn(x)
        logits: torch.Tensor = self.fc(states[:, -1])
        return logits
