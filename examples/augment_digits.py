"""Eighty own samples, learnt as they are and with augmentation; what is asked then does not lie quite as still."""

import numpy as np
import torch
from sklearn.datasets import load_digits

import selvedge as sv
from selvedge.learn.draws import Draws

torch.manual_seed(0)
found = load_digits()
x, y = np.float32(found.images / 16), np.int32(found.target)
model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 32), torch.nn.ReLU(), torch.nn.Linear(32, 10))
adam = torch.optim.Adam(model.parameters(), 1e-2)
for _ in range(150):
    adam.zero_grad()
    torch.nn.functional.cross_entropy(model(torch.tensor(x[:600])), torch.tensor(y[:600]).long()).backward()
    adam.step()

mine = np.ascontiguousarray(x[:, ::-1])  # this person's camera hangs upside down
moves = sv.Augment(sv.Shift(1, axis=0), sv.Shift(1, axis=1))
asked, told = moves(mine[1080:1796], Draws(1)), y[1080:1796]  # and trembles
plan = sv.plan(model, torch.zeros(4, 8, 8), device="stm32f746", optimizer=sv.SGD(0.05))
for name, augment in (("still", None), ("moved", moves)):
    session, memory = sv.compile(plan), sv.Replay(8 << 10, (8, 8), np.float32, classes=10, codec="int8")
    for sample, label in zip(mine[1000:1080], y[1000:1080], strict=True):
        memory.add(sample, int(label))
    sv.personalise(session, memory, steps=1500, augment=augment, folds=3)
    right = [session.predict(asked[i : i + 4]).argmax(1) == told[i : i + 4] for i in range(0, len(asked), 4)]
    print(f"{name} {100 * np.mean(right):.1f}%")
