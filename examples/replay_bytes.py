"""Digits come class by class in one pass; no replay, or 512 B of whole samples, or of what the trade chooses."""

import numpy as np
import torch
from sklearn.datasets import load_digits
from torch import nn

import selvedge as sv
from selvedge.learn.memory.judges import nearest
from selvedge.learn.memory.trade import trade

digits = load_digits()
shuffled = np.random.default_rng(0).permutation(len(digits.target))
x, y = np.uint8(digits.images[shuffled, None] * 15), np.int32(digits.target[shuffled])
stream = np.argsort(y[:1300] // 2, kind="stable")  # five tasks of two digits; the rest tests
first, codecs = stream[:250], ("raw", "int4", "2bit", "1bit")
best = trade(512, x[first], y[first], nearest, classes=10, candidates=codecs, as_kept=True)[0]
for codec in (None, "raw", best.named):
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(1, 16, 3), nn.ReLU(), nn.Flatten(), nn.Linear(576, 10))
    rate = sv.SGD(lr=0.1)
    plan = sv.plan(net, torch.zeros(8, 1, 8, 8), device="nrf52840", preprocess=sv.Preprocess(), optimizer=rate)
    session, memory = sv.compile(plan), sv.Replay(512, (1, 8, 8), classes=10, codec=codec or "raw")
    seen = memory.codec.decode(memory.codec.encode(x), (1, 8, 8), x.dtype)  # one kind of picture, new or earlier
    for rows in stream.reshape(-1, 2):
        earlier = memory.sample(6) if codec and len(memory) >= 6 else (seen[rows.repeat(3)], y[rows.repeat(3)])
        session.step(np.concatenate([seen[rows], earlier[0]]), np.concatenate([y[rows], earlier[1]]))
        for row in rows:
            memory.add(x[row], int(y[row]))
    told = np.concatenate([session.predict(seen[i : i + 8]) for i in range(1300, len(x) - 7, 8)]).argmax(1)
    held = f"{memory.capacity} samples, {codec}" if codec else "no replay"
    print(f"{held}: {np.mean(told == y[1300:][: len(told)]):.1%} right of all ten classes")
