"""One network a task, by width: without norms, so that any of its channels can be cut out."""

from __future__ import annotations

from torch import Tensor, nn

from selvedge.zoo.char_gru import CharGRU


class Scaled(nn.Module):
    """``x`` times ``factor``: what a narrow part adds up is as large as what the whole does (HeteroFL's scaler)."""

    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, x: Tensor) -> Tensor:
        return x * self.factor


def digits(width: float, classes: int) -> nn.Module:
    """[N, 64] -> logits [N, classes]."""
    hidden = round(64 * width)
    return nn.Sequential(nn.Linear(64, hidden), nn.ReLU(), *_scaled(width), nn.Linear(hidden, classes))


def walks(width: float, classes: int) -> nn.Module:
    """Axes over time [N, 6, 64] -> logits [N, classes]."""
    layers: list[nn.Module] = []
    inputs = 6
    for channels in (16, 32, 32):
        outputs = round(channels * width)
        layers += [nn.Conv1d(inputs, outputs, 5, 2), nn.ReLU(), *_scaled(width)]
        inputs = outputs
    return nn.Sequential(*layers, nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(inputs, classes))


def characters(width: float, classes: int) -> nn.Module:
    """Pictures [N, 1, 28, 28] -> logits [N, classes]."""
    layers: list[nn.Module] = []
    inputs = 1
    for channels in (16, 32, 48):
        outputs = round(channels * width)
        layers += [nn.Conv2d(inputs, outputs, 3, 2, 1), nn.ReLU(), *_scaled(width)]
        inputs = outputs
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(16 * inputs, classes))


def speech(width: float, classes: int) -> nn.Module:
    """Characters [N, T] -> logits [N, classes, T] of the one after each."""
    return CharGRU(classes, 16, round(64 * width))


def _scaled(width: float) -> list[nn.Module]:
    """The same places in the sequence whatever the width: names are the same."""
    return [Scaled(1 / width) if width < 1 else nn.Identity()]
