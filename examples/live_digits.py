"""Digits through a camera that was knocked: a model goes on learning, is cut off, goes on, and learns a new class."""

import numpy as np
import torch
from sklearn.datasets import load_digits

import selvedge as sv
from selvedge.learn.stream.arrays import Arrays
from selvedge.learn.stream.sample import Face

x, y = load_digits(return_X_y=True)
x, y = np.float32(x) / 16, (y - 1) % 10  # nought is the tenth class, which the model has not seen
old, moved = np.flatnonzero(y < 9), np.roll(x.reshape(-1, 8, 8), 1, axis=2).reshape(-1, 64)
torch.manual_seed(0)
net = torch.nn.Sequential(torch.nn.Linear(64, 64), torch.nn.ReLU(), torch.nn.Linear(64, 12))
optimizer = torch.optim.Adam(net.parameters(), 0.01)
for _ in range(200):
    optimizer.zero_grad()
    torch.nn.functional.cross_entropy(net(torch.tensor(x[old[:500]])), torch.tensor(y[old[:500]])).backward()
    optimizer.step()
plan = sv.plan(net, torch.zeros(8, 64), optimizer=sv.SGD(lr=0.05))
frozen = (net(torch.tensor(moved[old[800:]])).argmax(1).numpy() == y[old[800:]]).mean()
np.savez("stream.npz", x=moved[old[800:]], y=y[old[800:]])
names = [str(digit) for digit in range(1, 10)]


def born(journal):
    memory = sv.Replay(16 << 10, (64,), np.float32, classes=12, codec="int8")
    anchor = sv.Anchor(x[old[100:800]], y[old[100:800]], margin=0.1)
    learner = sv.Learner(sv.compile(plan), memory=memory, anchor=anchor, labels=names)
    return sv.Live(learner, journal)


for last in (300, 900):  # the second one finds what the first has left
    with sv.Journal("life", 1 << 20, "snapshot") as journal:
        live, stream = born(journal), Arrays("stream.npz", Face((64,), np.dtype(np.float32), classes=12))
        stream.seek(live.position)
        live.run(sample for sample in stream if sample.number < last)
        known = live.enrol("nought", moved[y == 9][:5]) if last == 900 else False
        lately, tally = live.course.life[-1].lately, live.learner.tally
        print(f"{tally.seen} seen, {lately:.0%} of the last 200 right, {tally.commits} commits; frozen: {frozen:.0%}")
print(f"nought learnt: {known}; {sum(live.bytes.values()) / 1024:.0f} KiB;", *live.learner.labels.names[8:10])
