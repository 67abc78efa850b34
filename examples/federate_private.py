"""A hundred devices learn digits; what each of them sends is hidden, and learning stops when the budget is spent."""

import json
from pathlib import Path

import numpy as np
import torch
from sklearn.datasets import load_digits

import selvedge as sv

found = load_digits()
x, y = np.float32(found.images / 16).reshape(-1, 64), np.int32(found.target)
order = np.random.default_rng(0).permutation(len(x))
shards = [(x[rows], y[rows]) for rows in np.split(order[:1400], 100)]


def right(session):
    rest = order[1400:1792]
    return float(np.mean([session.predict(x[i]).argmax(1) == y[i] for i in np.split(rest, 28)]))


for epsilon in (None, 2.0):
    private = None if epsilon is None else sv.Privacy.within(epsilon, delta=1e-3, rounds=8, clip=1.0)
    run = sv.Federation("digits", rounds=8, clients=100, local=sv.Local(epochs=5, rate=0.2), privacy=private)
    torch.manual_seed(0)
    session = sv.compile(sv.plan(torch.nn.Linear(64, 10), torch.zeros(14, 64), optimizer=sv.SGD(0.1)))
    told = sv.simulate(session, shards, run)
    print(f"epsilon {epsilon}: {told.phase}, {right(session):.1%} right of digits that no device has")

longer = sv.Federation("longer", rounds=100, clients=100, local=sv.Local(epochs=1, rate=0.2), privacy=private)
told = sv.simulate(session, shards, longer)
print(f"{told.phase} after {len(told.points)} rounds of 100: {told.why}")
Path("privacy.json").write_text(json.dumps(told.statement, indent=1))
