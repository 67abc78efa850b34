"""Three own examples a digit, learnt as they are and with augmentation; what is asked then does not lie quite still."""

import numpy as np
import torch
from sklearn.datasets import load_digits

import selvedge as sv
from selvedge.learn.draws import Draws

torch.manual_seed(0)
found = load_digits()
x, y = np.float32(found.images / 16)[:, None], np.int32(found.target)
model = torch.nn.Sequential(
    torch.nn.Conv2d(1, 8, 3, padding=1), torch.nn.ReLU(), torch.nn.Conv2d(8, 16, 3, 2, 1), torch.nn.ReLU(),
    torch.nn.Flatten(), torch.nn.Linear(256, 10),
)  # fmt: skip
adam = torch.optim.Adam(model.parameters(), 1e-2)
for _ in range(60):
    adam.zero_grad()
    torch.nn.functional.cross_entropy(model(torch.tensor(x[:600])), torch.tensor(y[:600]).long()).backward()
    adam.step()

mine, told = np.ascontiguousarray(x[1000:, :, :, ::-1]), y[1000:]  # this person's camera sees them mirrored
few = np.concatenate([np.flatnonzero(told == digit)[:3] for digit in range(10)])
asked = np.setdiff1d(np.arange(len(told)), few)
moved = sv.Shift(1, axis=2)(sv.Shift(1, axis=1)(mine, Draws(1)), Draws(2))
plan = sv.plan(model, torch.zeros(1, 1, 8, 8), device="stm32f746", optimizer=sv.SGD(0.05))
for name, augment in (
    ("as they are", None),
    ("augmented", sv.Augment(sv.Shift(1, axis=1), sv.Shift(1, axis=2))),
):
    session, memory = sv.compile(plan), sv.Replay(16 << 10, (1, 8, 8), np.float32, classes=10)
    for i in np.random.default_rng(0).permutation(few):
        memory.add(mine[i], int(told[i]))
    sv.personalise(session, memory, steps=1200, rate=0.01, augment=augment, folds=3)
    right = np.mean([session.predict(moved[i : i + 1]).argmax() == told[i] for i in asked])
    print(f"{name}: {100 * right:.1f}%")
