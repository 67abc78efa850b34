"""A recurrent character model: each character of a text from those before it.

Sources: Cho et al., arXiv:1406.1078, section 2.3 (the gated recurrent unit); Chung et al., *Empirical Evaluation of
Gated Recurrent Neural Networks on Sequence Modeling*, arXiv:1412.3555. A GRU and no transformer, because here bytes
are few: its weights are read once a character and its memory is one state, where attention keeps every character
before; a transformer overtakes recurrent networks with long contexts and large sizes, which a device has not (Kaplan
et al., arXiv:2001.08361, section 3.2.1 and figure 7). With 66 classes, an embedding of 256 and 1024 units this is the
network of TensorFlow's tutorial *Text generation with an RNN*: 4,022,850 parameters.
"""

from __future__ import annotations

import torch
from torch import nn


class CharGRU(nn.Module):
    """Characters [N,T] (int32, below ``classes``) -> logits [N,classes,T] of the character after each; any T.

    classes: characters there are. The default of 96 is printable ASCII and the line feed.
    """

    def __init__(self, classes: int = 96, embedding: int = 32, hidden: int = 128, layers: int = 1) -> None:
        super().__init__()
        self.embedding = nn.Embedding(classes, embedding)
        self.gru = nn.GRU(embedding, hidden, layers, batch_first=True)
        self.fc = nn.Linear(hidden, classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        states, _ = self.gru(self.embedding(x))
        logits: torch.Tensor = self.fc(states)
        return logits.transpose(1, 2)
