"""Forty devices learn the digits over a bad network, and the server sees no change: masked sums of 4-bit values
alone."""

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
session = sv.compile(sv.plan(model, torch.zeros(7, 64), device="stm32f746", optimizer=sv.SGD(0.1)))


def right(session):
    return np.mean([session.predict(x[i : i + 7]).argmax(1) == y[i : i + 7] for i in range(1400, 1792, 7)])


run = sv.Federation(
    "digits", rounds=20, clients=12, over=1.25, least=8, deadline=120, up="seeded:0.5+int4",
    masked=sv.Masked(bits=4, group=8, members=5, threshold="half"), local=sv.Local(epochs=3, rate=0.1),
)  # fmt: skip
told = sv.simulate(
    session, shards, run, faults=sv.Faults(drop=0.01, duplicate=0.05, crash=0.02), evaluate=right, every=5
)
for point in told.points[4::5]:
    print(f"round {point.version}: {point.told:.0%} right, {point.changes} devices in its sums, {point.up:,} B sent")

try:
    sv.Federation("digits", rounds=20, clients=12, rule="median", masked=sv.Masked())
except sv.InvalidInput as error:
    print(error)
