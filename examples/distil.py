"""A small CNN learns digits alone, and from a larger one: the same first weights, the same epochs."""

import copy

import numpy as np
import torch
from nets.small_cnn import make
from sklearn.datasets import load_digits
from torch import nn
from torch.nn import functional

import selvedge as sv

torch.manual_seed(0)
digits = load_digits()
order = np.random.default_rng(0).permutation(len(digits.target))
x, y = torch.tensor(digits.images[order, None] / 16).float(), torch.tensor(digits.target[order])
few, valid, test = slice(0, 150), slice(150, 450), slice(450, None)  # few labels, as on a device
EPOCHS, RATE = 60, 1e-2

teacher = make()  # it has seen all that is not test
adam = torch.optim.Adam(teacher.parameters(), 3e-3)
for _ in range(20):
    for rows in torch.randperm(450).split(50):
        adam.zero_grad()
        functional.cross_entropy(teacher(x[rows]), y[rows]).backward()
        adam.step()
small = nn.Sequential(
    nn.Conv2d(1, 4, 3, 2, 1), nn.ReLU(), nn.Conv2d(4, 8, 3, 1, 1), nn.ReLU(),
    nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(32, 10),
)  # fmt: skip
ways = {"alone": [sv.Logits(weight=0.0)], "outputs": [sv.Logits()], "relations": [sv.Relational()]}
settings = {"data": (x[few], y[few]), "validation": (x[valid], y[valid]), "epochs": EPOCHS, "batch": 25, "lr": RATE}
print(f"teacher, {sum(p.numel() for p in teacher.parameters()):,} parameters", end=": ")
print(f"{(teacher(x[test]).argmax(1) == y[test]).float().mean():.1%} right")
for name, terms in ways.items():
    found = sv.distil(copy.deepcopy(small), teacher, terms, **settings)
    right = (found.student(x[test]).argmax(1) == y[test]).float().mean()
    size = sum(p.numel() for p in small.parameters())
    print(f"{name}, {size:,} parameters: {right:.1%} right, epoch {found.best.number}")
print(found.distil)
