"""A user's own file of models, good ones and others."""

from __future__ import annotations

import sys

import torch
from torch import nn


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(4, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(x)


class Sorting(Net):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.sort(self.head(x), 1)[0]


class Transforming(Net):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(torch.fft.fft(x).abs())


class Branching(Net):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if x.sum() > 0:
            x = -x
        return self.head(x)


class Talking(Net):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        print("forward is traced")
        return self.head(x)


class Deep(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(8, 8) for _ in range(120))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        print("forward is traced", file=sys.__stderr__, flush=True)
        for layer in self.layers:
            x = torch.relu(layer(x)) + x
        return x


net, sorting, transforming, branching, talking, deep = Net, Sorting, Transforming, Branching, Talking, Deep


def paired() -> tuple[nn.Module, torch.Tensor]:
    return Net(), torch.randn(2, 4)


def raising() -> nn.Module:
    raise RuntimeError("no weights\nhere")


def leaving() -> nn.Module:
    raise SystemExit("goodbye")


def number() -> int:
    return 3


def listing() -> tuple[nn.Module, list[int]]:
    return Net(), [1, 2]


def without_parameters() -> tuple[nn.Module, torch.Tensor]:
    return nn.ReLU(), torch.randn(1, 4)


def asking(width: int) -> nn.Module:
    return nn.Linear(4, width)
