"""Three kinds of device learn one model of the digits, each by its own plan; the smallest has half of the channels."""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits

NET = """
import torch
def make(classes, width=32):
    layers = torch.nn.Flatten(), torch.nn.Linear(64, width), torch.nn.ReLU(), torch.nn.Linear(width, classes)
    return torch.nn.Sequential(*layers)
def half(classes):
    return make(classes, 16)
"""
folder = Path(tempfile.mkdtemp())
found = load_digits()
np.savez(folder / "digits.npz", x=np.float32(found.images / 16), y=found.target)
(folder / "net.py").write_text(NET)
line = (
    "federate simulate net.py:make --data digits.npz --clients 30 --split dirichlet:0.5 --rounds 40 --epochs 3 "
    "--lr 0.1 --device raspberry-pi-4 --device esp32-s3 --device nrf52832=net.py:half "
    "--codec top:0.1+int4 --faults drop=0.05,crash=0.02 --over 1.2 --deadline 60 --out run --json"
)
done = subprocess.run(
    [sys.executable, "-m", "selvedge", *line.split()], cwd=folder, capture_output=True, text=True, check=True
)
*rounds, end = map(json.loads, done.stdout.splitlines())
for told in rounds[9::10]:
    joules = f"{1000 * told['joules']:.0f} mJ"
    print(f"round {told['round']}: {told['accuracy']:.0%} right, {told['up']:,} B sent, {told['lost']} lost, {joules}")
print(f"test: {end['test']['accuracy']:.0%} right; {end['up'] / sum(m['changes'] for m in rounds):,.0f} B a change")
print(f"the page: {folder / 'run' / 'federation.html'}")
