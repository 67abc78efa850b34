"""python prepare.py FOLDER: devices of three profiles, one of half the width, each with plan, samples and key."""

import json
import sys
from pathlib import Path

import numpy as np
import torch
from sklearn.datasets import load_digits

import selvedge as sv
from selvedge.federate.keys import Key

folder = Path(sys.argv[1])
found = load_digits()
x, y = np.float32(found.images / 16).reshape(-1, 64), np.int32(found.target)
rows = np.random.default_rng(0).permutation(1400)
server, run = Key(), {"devices": {}, "parts": {}, "covers": {}, "again": 300}
(folder / "server").mkdir(parents=True)
(folder / "server" / "key").write_bytes(server.secret)
for name, profile, width, batch, mine in (
    ("board", "stm32f746", 32, 7, rows[:400]),
    ("sensor", "nrf52840", 16, 7, rows[400:600]),  # the first half of the hidden channels
    ("gateway", "raspberry-pi-4", 32, 10, rows[600:1400]),
):
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(64, width), torch.nn.ReLU(), torch.nn.Linear(width, 10))
    shapes = {n: list(t.shape) for n, t in model.state_dict().items()}
    at, key = folder / "nodes" / name, Key()
    plan = sv.plan(model, torch.zeros(batch, 64), device=profile, optimizer=sv.SGD(0.1))
    sv.emit(plan, "c", at / "artifact")
    np.savez(at / "samples.npz", x=x[mine], y=y[mine])
    (at / "key").write_bytes(key.secret)
    (at / "server.public").write_bytes(server.public)
    run["devices"][name] = key.public.hex()
    if width == 32:
        np.savez(folder / "server" / "start.npz", **{n: t.numpy() for n, t in model.state_dict().items()})
    else:
        run["parts"][name], run["covers"]["half"] = "half", shapes
run["federation"] = {"name": "digits", "rounds": 3, "clients": 3, "least": 2, "deadline": 300, "up": "int8"}
run["local"] = {"epochs": 3, "rate": 0.1}
(folder / "server" / "run.json").write_text(json.dumps(run))
