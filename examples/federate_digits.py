"""Forty devices learn one model of the digits over a bad network, in a tenth of the bytes; one in five of them lies."""

import numpy as np
import torch
from sklearn.datasets import load_digits

import selvedge as sv

found = load_digits()
x, y = np.float32(found.images / 16).reshape(-1, 64), np.int32(found.target)
order = np.random.default_rng(0).permutation(1400)
shards = [(x[rows], y[rows]) for rows in np.split(order, 40)]
torch.manual_seed(0)
model = torch.nn.Sequential(torch.nn.Linear(64, 32), torch.nn.ReLU(), torch.nn.Linear(32, 10))
plan = sv.plan(model, torch.zeros(7, 64), device="stm32f746", optimizer=sv.SGD(0.1))


def right(session):
    return np.mean([session.predict(x[i : i + 7]).argmax(1) == y[i : i + 7] for i in range(1400, 1792, 7)])


bad = sv.Faults(drop=0.05, duplicate=0.05, corrupt=0.02, delay=0.1, crash=0.05, liars=0.2, strength=5)
for rule in ("mean", "median"):
    run = sv.Federation(
        "digits", rounds=25, clients=15, over=1.3, least=8, deadline=120, up="int4+deflate", rule=rule,
        local=sv.Local(epochs=3, rate=0.1),
    )  # fmt: skip
    session = sv.compile(plan)
    told = sv.simulate(session, shards, run, faults=bad, spread=1.0)
    refused = sum(told.refused.values())
    print(
        f"{rule}: {told.phase}, {right(session):.0%} right, {told.points[-1].up:,} B sent, {refused} messages refused"
    )
