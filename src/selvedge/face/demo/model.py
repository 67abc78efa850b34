"""The demonstration's network, and its ordinary training on the workstation."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import nn
from torch.nn import functional as F

from ...artifact.preprocess import Preprocess

# Mean and deviation of the pixels of ideal pictures, rounded, as fractions of full scale.
MEAN, STD = 0.3, 0.37
PREPROCESS = Preprocess(scale=(1 / (255 * STD),), offset=(-MEAN / STD,))
BLACK = -MEAN / STD


class DigitNet(nn.Module):
    """Pictures [N,1,8,8], float32 after :data:`PREPROCESS` -> logits [N,10]; 10,202 parameters."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 8, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(8)
        self.conv2 = nn.Conv2d(8, 24, 3, stride=2, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(24)
        self.conv3 = nn.Conv2d(24, 24, 3, padding=1, bias=False)
        self.bn3 = nn.BatchNorm2d(24)
        self.conv4 = nn.Conv2d(24, 12, 3, padding=1, bias=False)
        self.bn4 = nn.BatchNorm2d(12)
        self.pool = nn.MaxPool2d(2)
        self.fc = nn.Linear(48, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = torch.relu(self.bn1(self.conv1(x)))
        x = torch.relu(self.bn2(self.conv2(x)))
        x = torch.relu(self.bn3(self.conv3(x)))
        x = torch.relu(self.bn4(self.conv4(x)))
        logits: torch.Tensor = self.fc(self.pool(x).flatten(1))
        return logits


def train(
    codes: npt.NDArray[np.uint8],
    labels: npt.NDArray[np.int64],
    seed: int,
    epochs: int = 25,
    batch: int = 64,
    lr: float = 6e-3,
) -> DigitNet:
    """A trained network in evaluation mode. codes: uint8 [N,1,8,8]; labels [N]. Equal arguments, equal weights.

    AdamW under one cycle, with small shifts, exposures and black levels as augmentation, as one would train it who
    does not know the camera that will come.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return _train(codes, labels, torch.Generator().manual_seed(seed), epochs, batch, lr)


def _train(
    codes: npt.NDArray[np.uint8],
    labels: npt.NDArray[np.int64],
    generator: torch.Generator,
    epochs: int,
    batch: int,
    lr: float,
) -> DigitNet:
    model, x, y = DigitNet(), torch.from_numpy(PREPROCESS(codes)), torch.from_numpy(labels)
    steps = len(x) // batch
    optimizer = torch.optim.AdamW(model.parameters(), weight_decay=1.0)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, lr, total_steps=epochs * steps)
    for _ in range(epochs):
        order = torch.randperm(len(x), generator=generator)
        for pick in order[: steps * batch].split(batch):
            loss = F.cross_entropy(model(_augmented(x[pick], generator)), y[pick], label_smoothing=0.1)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    return model.eval()


def _augmented(x: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """A batch [N,1,8,8] moved by up to a pixel, then per sample another exposure and black level, and noise."""
    n, _, height, width = x.shape
    right, down = torch.randint(-1, 2, (2,), generator=generator).tolist()
    x = F.pad(x, (1, 1, 1, 1), value=BLACK)[:, :, 1 + down : 1 + down + height, 1 + right : 1 + right + width]
    gain = 0.7 + 0.3 * torch.rand(n, 1, 1, 1, generator=generator)
    lift = 0.4 * torch.rand(n, 1, 1, 1, generator=generator)
    noise = torch.randn(x.shape, generator=generator)
    return BLACK + (x - BLACK) * gain + lift + 0.05 * noise
