"""Small networks with what the tests need: depthwise chains, norms of unusual settings, branches."""

from __future__ import annotations

import torch
from torch import nn


class Chain(nn.Module):
    """Convolution, depthwise, pointwise with norms of eps 1e-3 and momentum 0.01; dropout of 0.2; a classifier."""

    def __init__(self, act: type[nn.Module] = nn.ReLU) -> None:
        super().__init__()
        self.conv, self.bn1 = nn.Conv2d(1, 4, 3, padding=1, bias=False), nn.BatchNorm2d(4, eps=1e-3, momentum=0.01)
        self.dw, self.bn2 = nn.Conv2d(4, 4, 3, groups=4), nn.BatchNorm2d(4, eps=1e-3, momentum=0.01)
        self.pw = nn.Conv2d(4, 6, 1)
        self.act1, self.act2, self.act3 = act(), act(), act()
        self.pool, self.drop, self.fc = nn.AdaptiveAvgPool2d(1), nn.Dropout(0.2), nn.Linear(6, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.act2(self.bn2(self.dw(self.act1(self.bn1(self.conv(x))))))
        x = self.drop(torch.flatten(self.pool(self.act3(self.pw(x))), 1))
        return self.fc(x)


class Branches(nn.Module):
    """Two branches concatenated and added, pooled, through a sigmoid and a tanh, to a softmax."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Conv2d(2, 3, 1), nn.Conv2d(2, 3, 1)
        self.pool, self.fc = nn.MaxPool2d(2), nn.Linear(24, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        a, b = torch.relu(self.a(x)), self.b(x)
        joined = torch.cat([a + b, torch.sigmoid(a), torch.tanh(b), b], 1)[:, :6]
        return torch.softmax(self.fc(torch.flatten(self.pool(joined), 1)), 1)


def images(count: int = 64, channels: int = 1, side: int = 8, seed: int = 0) -> torch.Tensor:
    """[count, channels, side, side]; no two alike."""
    return torch.randn(count, channels, side, side, generator=torch.Generator().manual_seed(seed))


def chain(act: type[nn.Module] = nn.ReLU, seed: int = 0) -> Chain:
    """With statistics of its own, and channels of unlike sizes, in eval mode."""
    torch.manual_seed(seed)
    made = Chain(act)
    with torch.no_grad():
        made.bn1.weight.mul_(torch.tensor([0.05, 1.0, 3.0, 0.5]))
        made.bn1.bias.uniform_(-0.3, 0.6)
        made.bn2.weight.mul_(torch.tensor([2.0, 0.1, 1.0, 0.7]))
        made.train()
        for i in range(4):
            made(images(32, seed=100 + i) * 1.5 + 0.2)
    return made.eval()
