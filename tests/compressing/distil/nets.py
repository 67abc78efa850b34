"""A teacher and a smaller student for pictures of 8 x 8, residual and plain; and their data, scikit-learn's digits."""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import nn


class Block(nn.Module):
    """Two convolutions beside a shortcut, as ResNet-8's; the activation is one module, called twice."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False), nn.BatchNorm2d(outputs)
        self.conv2, self.bn2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False), nn.BatchNorm2d(outputs)
        self.relu = nn.ReLU(inplace=True)
        self.short = nn.Conv2d(inputs, outputs, 1, stride, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.bn2(self.conv2(self.relu(self.bn1(self.conv1(x)))))
        return self.relu(y + self.short(x))


class Residual(nn.Module):
    """[N, 1, 8, 8] -> [N, classes], through 8 x 8, 4 x 4 and 2 x 2."""

    def __init__(self, width: int = 16, classes: int = 10) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(1, width, 3, 1, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU())
        self.layer1, self.layer2 = Block(width, 2 * width, 2), Block(2 * width, 4 * width, 2)
        self.pool, self.drop, self.fc = nn.AdaptiveAvgPool2d(1), nn.Dropout(0.1), nn.Linear(4 * width, classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.layer2(self.layer1(self.stem(x)))
        return self.fc(self.drop(torch.flatten(self.pool(x), 1)))


def plain(width: int = 4, classes: int = 10) -> nn.Sequential:
    """[N, 1, 8, 8] -> [N, classes], through 8 x 8 and 4 x 4."""
    return nn.Sequential(
        nn.Conv2d(1, width, 3, 1, 1), nn.ReLU(), nn.Conv2d(width, 2 * width, 3, 2, 1), nn.ReLU(),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(2 * width, classes),
    )  # fmt: skip


def residual(width: int = 16, classes: int = 10, seed: int = 0) -> Residual:
    torch.manual_seed(seed)
    return Residual(width, classes).eval()


def small(width: int = 4, classes: int = 10, seed: int = 0) -> nn.Sequential:
    torch.manual_seed(seed)
    return plain(width, classes)


@lru_cache(maxsize=1)
def digits() -> tuple[torch.Tensor, torch.Tensor]:
    """[1797, 1, 8, 8] in 0..1, in a fixed order that is not the file's; classes."""
    from sklearn.datasets import load_digits  # here: a process that is killed in a test starts sooner without

    found = load_digits()
    order = torch.randperm(len(found.target), generator=torch.Generator().manual_seed(0))
    return torch.tensor(found.images, dtype=torch.float32)[order, None] / 16, torch.tensor(found.target)[order]
