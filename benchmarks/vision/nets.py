"""The network that is shipped, and how it is made, of clean pictures or of all there are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor, nn

Array = npt.NDArray[Any]
BATCH, RATE, UPDATES = 40, 3e-3, 2000  # of making; the rate falls to nothing along a cosine


def network(channels: int, size: tuple[int, int], classes: int) -> nn.Module:
    """Three convolutions of stride 2 and a linear layer: 8,570 parameters for 28 x 28 grey pixels and ten classes."""
    layers: list[nn.Module] = []
    for inputs, outputs in ((channels, 8), (8, 16), (16, 24)):
        layers += [nn.Conv2d(inputs, outputs, 3, 2, 1), nn.BatchNorm2d(outputs), nn.ReLU()]
    high, wide = (-(-side // 8) for side in size)
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(24 * high * wide, classes))


def trained(parts: Sequence[tuple[Array, Array]], classes: int, seed: int, updates: int = UPDATES) -> nn.Module:
    """Made with AdamW in PyTorch of pictures uint8 [n, c, h, w] and their classes, of each of ``parts`` an equal share
    of every batch, each picture turned, moved and scaled a little."""
    torch.manual_seed(seed)
    _, channels, high, wide = parts[0][0].shape
    model, draw = network(channels, (high, wide), classes), np.random.default_rng([38, seed])
    made = torch.optim.AdamW(model.parameters(), RATE, weight_decay=1e-2)
    falling = torch.optim.lr_scheduler.CosineAnnealingLR(made, updates)
    for _ in range(updates):
        rows = [draw.integers(len(y), size=BATCH // len(parts)) for _, y in parts]
        x = torch.from_numpy(np.concatenate([x[some] for (x, _), some in zip(parts, rows, strict=True)]))
        y = torch.from_numpy(np.concatenate([y[some] for (_, y), some in zip(parts, rows, strict=True)])).long()
        loss = F.cross_entropy(model(_moved(x.float() / 255)), y)
        made.zero_grad()
        loss.backward()
        made.step()
        falling.step()
    return model.eval()


def answers(model: nn.Module, x: Array) -> Array:
    """Classes of pictures uint8 [n, c, h, w]."""
    with torch.no_grad():
        return np.concatenate([model(part.float() / 255).argmax(1).numpy() for part in torch.from_numpy(x).split(500)])


def _moved(x: Tensor) -> Tensor:
    """Up to 10 degrees, a tenth of the side and of the size; what comes in from outside is the last pixel's."""
    n = len(x)
    angle = (torch.rand(n) * 2 - 1) * 0.17
    scale = 1 + (torch.rand(n, 1, 1) * 2 - 1) * 0.1
    turn = torch.stack([torch.cos(angle), -torch.sin(angle), torch.sin(angle), torch.cos(angle)], 1).view(n, 2, 2)
    way = torch.cat([turn * scale, (torch.rand(n, 2, 1) * 2 - 1) * 0.2], 2)
    grid = F.affine_grid(way, list(x.shape), align_corners=False)
    return F.grid_sample(x, grid, padding_mode="border", align_corners=False)
