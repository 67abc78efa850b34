"""Digits through a camera on a grey day: learnt from without a label, and taken back where that collapses."""

import numpy as np
import torch
from sklearn.datasets import load_digits
from torch import nn

import selvedge as sv

x, y = load_digits(return_X_y=True)
x = np.float32(x) / 16
torch.manual_seed(0)
net = nn.Sequential(nn.Linear(64, 32), nn.BatchNorm1d(32), nn.ReLU(), nn.Linear(32, 10))
optimizer = torch.optim.Adam(net.parameters(), 0.01)
for _ in range(80):
    optimizer.zero_grad()
    nn.functional.cross_entropy(net(torch.tensor(x[:600])), torch.tensor(y[:600])).backward()
    optimizer.step()
grey = 0.4 * x[600:1784] + np.float32(0.5)


def asked(what, session):
    right = [session.predict(grey[i : i + 16]).argmax(1) == y[600 + i : 616 + i] for i in range(592, 1184, 16)]
    print(f"{what} {100 * np.mean(right):.1f}%", end=", ")


for part, update, norms, rate in (("norms", ["1.*"], "live", 1e-3), ("whole", "full", "folded", 1e-2)):
    plan = sv.plan(
        net.eval(), torch.zeros(16, 64), loss=sv.label_free(10), optimizer=sv.Adam(rate), update=update, norms=norms
    )
    session = sv.compile(plan)
    asked(f"{part} frozen", session)
    learns = sv.Unlabelled(session, sv.Entropy(None), sv.Collapse(10))
    for i in range(0, 592, 16):
        learns.learn(grey[i : i + 16])
    asked("learnt", session)
    print(f"{learns.steps} steps; {learns.why or 'it holds'}")
