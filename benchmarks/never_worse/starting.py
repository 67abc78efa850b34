"""What a stream begins with: a small convolutional network, trained on a few thousand digits."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch
from torch import Tensor, nn

import selvedge as sv
from selvedge.run.session import Session

from .digits import digits

BATCH = 8  # of a step on the device
RATE, MOMENTUM = 0.001, 0.9
EPOCHS = 8
SCALE = sv.Preprocess(scale=(1 / 255,), offset=(0.0,))


def network() -> nn.Module:
    """7,466 parameters, 97,000 multiplications a digit."""
    return nn.Sequential(
        nn.Conv2d(1, 8, 3, 2, 1, bias=False), nn.BatchNorm2d(8), nn.ReLU(),
        nn.Conv2d(8, 12, 3, 2, 1, bias=False), nn.BatchNorm2d(12), nn.ReLU(),
        nn.Conv2d(12, 24, 3, 2, 1, bias=False), nn.BatchNorm2d(24), nn.ReLU(),
        nn.Flatten(), nn.Linear(384, 10),
    )  # fmt: skip


@lru_cache(maxsize=2)
def trained(seed: int) -> dict[str, Tensor]:
    """Its state after training: SGD in batches of 32, the rate falling to nothing along a cosine."""
    torch.manual_seed(seed)
    net = network().train()
    x, y = digits(seed).train
    inputs, labels = torch.from_numpy(x).float() / 255, torch.from_numpy(y).long()
    optimiser = torch.optim.SGD(net.parameters(), 0.1, 0.9, weight_decay=5e-4)
    batches = len(x) // 32
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, EPOCHS * batches)
    for _ in range(EPOCHS):
        for rows in torch.randperm(len(x))[: batches * 32].split(32):
            optimiser.zero_grad()
            torch.autograd.backward(nn.functional.cross_entropy(net(inputs[rows]), labels[rows]))
            optimiser.step()
            schedule.step()
    return {name: value.detach().clone() for name, value in net.state_dict().items()}


@lru_cache(maxsize=2)
def plan(seed: int) -> sv.Plan:
    net = network()
    net.load_state_dict(trained(seed))
    example = torch.zeros(BATCH, 1, 28, 28)
    return sv.plan(net, example, optimizer=sv.SGD(lr=RATE, momentum=MOMENTUM), preprocess=SCALE, name="starting")


@lru_cache(maxsize=2)
def _compiled(seed: int) -> tuple[Session, dict[str, np.ndarray]]:
    made = sv.compile(plan(seed))
    return made, made.snapshot()


def session(seed: int) -> Session:
    """With the starting weights; the same one whenever it is asked for."""
    made, start = _compiled(seed)
    made.restore(start, 0)
    return made


def float_pictures(x: np.ndarray) -> np.ndarray:
    """uint8 -> float32 in 0..1, as a camera gives them."""
    return np.float32(x) / np.float32(255)
