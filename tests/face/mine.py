"""A newcomer's own models, for their own data."""

from __future__ import annotations

import torch
from torch import nn


def digits(classes: int = 10) -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(72, classes)
    )


def slow() -> tuple[nn.Module, torch.Tensor]:
    """Enough work that a signal finds it at work."""
    net = nn.Sequential(nn.Conv2d(1, 24, 3, padding=1), nn.ReLU(), nn.Conv2d(24, 24, 3, padding=1), nn.Flatten())
    return nn.Sequential(net, nn.Linear(24 * 64, 10)), torch.zeros(4, 1, 8, 8)


def bands(classes: int) -> tuple[nn.Module, torch.Tensor]:
    net = nn.Sequential(nn.Conv2d(1, 8, 3, stride=2), nn.ReLU(), nn.Conv2d(8, 16, 3, stride=2), nn.ReLU(), nn.Flatten())
    return nn.Sequential(net, nn.Linear(16 * 7 * 4, classes)), torch.zeros(8, 1, 32, 20)


def lines(classes: int) -> tuple[nn.Module, torch.Tensor]:
    net = nn.Sequential(nn.Conv1d(6, 16, 5, stride=2), nn.ReLU(), nn.Conv1d(16, 16, 5, stride=2), nn.ReLU())
    return nn.Sequential(net, nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(16, classes)), torch.zeros(8, 6, 64)


def table(classes: int = 2) -> nn.Module:
    return nn.Sequential(nn.Linear(2, 8), nn.ReLU(), nn.Linear(8, classes))


def two_inputs() -> tuple[nn.Module, tuple[torch.Tensor, ...]]:
    return nn.Bilinear(2, 2, 2), (torch.zeros(1, 2), torch.zeros(1, 2))


def narrow() -> tuple[nn.Module, torch.Tensor]:
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 3)), torch.zeros(1, 1, 8, 8)


def plenty() -> tuple[nn.Module, torch.Tensor]:
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 12)), torch.zeros(1, 1, 8, 8)


def wide() -> tuple[nn.Module, torch.Tensor]:
    return nn.Sequential(nn.Flatten(), nn.Linear(320, 2)), torch.zeros(1, 5, 8, 8)


def odd() -> tuple[nn.Module, torch.Tensor]:
    return nn.Linear(7, 2), torch.zeros(1, 7)


def whole_numbers() -> tuple[nn.Module, torch.Tensor]:
    return nn.Embedding(10, 2), torch.zeros(1, 4, dtype=torch.int32)


class Missing(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(4, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = torch.sort(self.head(x), 1)[0]
        return torch.fft.fft(x).abs()


def missing() -> tuple[nn.Module, torch.Tensor]:
    return Missing(), torch.zeros(1, 4)


def refused() -> nn.Module:
    raise RuntimeError("no weights here")


def deep(classes: int) -> nn.Module:
    """Norms enough that folding them lets more learn."""
    layers: list[nn.Module] = []
    for i in range(3):
        layers += [nn.Conv2d(1 if i == 0 else 8, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU()]
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(512, classes))
