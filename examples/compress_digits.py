"""Digits as six people write them: what runs in 12 KiB and learns best from a seventh in 24."""

import numpy as np
from sklearn.datasets import load_digits
from torch import nn

import selvedge as sv

images, y = load_digits(return_X_y=True)
x, who = np.float32(images.reshape(-1, 1, 8, 8) / 16), np.arange(len(y)) % 7
for i in range(7):  # each holds the paper, and presses the pen, in another way
    x[who == i] = np.roll(x[who == i], i, axis=3) * (0.4 + 0.2 * i)


def net(width: int) -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, width, 3, 1, 1), nn.BatchNorm2d(width), nn.ReLU(), nn.Conv2d(width, 2 * width, 3, 2, 1), nn.ReLU(),
        nn.Conv2d(2 * width, 2 * width, 1), nn.ReLU(), nn.AdaptiveAvgPool2d(2), nn.Flatten(),
        nn.Linear(8 * width, 10),
    )  # fmt: skip


board = sv.Device(name="board", ram="24KiB", flash="256KiB")
known = who < 6
found = sv.compress(
    sv.Space(net, width=(4, 8)), (x[known], y[known]), who=who[known], device=board,
    budget="run=12KiB,train=24KiB", epochs=18, lr=1e-2, learn=120, finalists=1, judges=2, distil=False,
)  # fmt: skip
print(found)
session, (mine, told) = found.session(), (x[~known], y[~known])  # 24 KiB, and not a byte more
right = [int(session.predict(mine[i : i + 1])[0].argmax() == told[i]) for i in range(120, len(told))]
for i in range(120):
    session.step(mine[i : i + 1], told[i : i + 1])  # along the schedule of its plan
after = [int(session.predict(mine[i : i + 1])[0].argmax() == told[i]) for i in range(120, len(told))]
print(f"\na seventh person: {np.mean(right):.1%} as shipped, {np.mean(after):.1%} after 120 digits", end=", ")
print(f"in {session.arena_bytes:,} B")
