"""The deep autoencoder of DCASE 2020 task 2, MLPerf Tiny's anomaly detector.

Sources: Koizumi et al., *Description and Discussion on DCASE2020 Challenge Task 2*, arXiv:2006.05822
(the baseline system); Banbury et al., *MLPerf Tiny Benchmark*, arXiv:2106.07597, section 4; the
reference ``ad01`` (mlcommons/tiny, benchmark/training/anomaly_detection): five frames of 128 log-mel bins
in, batch norm and ReLU after every layer but the last, 269,992 parameters and statistics with batch norm,
265,864 without.
"""

from __future__ import annotations

import torch
from torch import nn

FEATURES = 640
HIDDEN = (128, 128, 128, 128, 8, 128, 128, 128, 128)


class DeepAutoencoder(nn.Module):
    """Features [N,640] -> their reconstruction [N,640]; train it with the ``reconstruction`` loss."""

    def __init__(self, norm: str = "batch") -> None:
        super().__init__()
        layers: list[nn.Module] = []
        inputs = FEATURES
        for outputs in HIDDEN:
            # Keras' batch norm: eps 1e-3, momentum 0.99.
            kept = nn.BatchNorm1d(outputs, eps=1e-3, momentum=0.01) if norm == "batch" else nn.Identity()
            layers.append(nn.Sequential(nn.Linear(inputs, outputs), kept, nn.ReLU()))
            inputs = outputs
        self.layers = nn.Sequential(*layers)
        self.reconstruction = nn.Linear(inputs, FEATURES)
        for part in self.modules():
            if isinstance(part, nn.Linear):
                nn.init.xavier_uniform_(part.weight)
                nn.init.zeros_(part.bias)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y: torch.Tensor = self.reconstruction(self.layers(x))
        return y
