"""What a device takes that joins a run over HTTPS: a process of its own, without torch."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import torch
from sklearn.datasets import load_digits

import selvedge as sv
from selvedge.federate.client.session import state_of
from selvedge.federate.coordinator import Coordinator
from selvedge.federate.federation import Federation
from selvedge.federate.grid.https import HttpsGrid
from selvedge.federate.layout import Layout
from selvedge.federate.server import Server

from .toward import DEVICES, SERVER

SMALL = """
import sys, threading
from pathlib import Path
import numpy as np
from selvedge.federate.client.https import Connection, join
from selvedge.federate.client.participant import Participant
from selvedge.federate.client.session import SessionTrainer
from selvedge.federate.client.store import InFile
from selvedge.federate.keys import Key
from selvedge.run.artifact import load
folder, port, trusted, artifact = Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3]), Path(sys.argv[4])
key, rounds = Key(bytes([7] + [0] * 31)), int(sys.argv[5])
def rss(of):
    return next(int(line.split()[1]) << 10 for line in open("/proc/self/status") if line.startswith(of))
before = rss("VmHWM:")
x, y = np.load(folder / "x.npy"), np.load(folder / "y.npy")
trainer = SessionTrainer(load(artifact, cache=folder / "cache"), x, y)
device = Participant("device-000", key, bytes.fromhex(sys.argv[6]), trainer, InFile(folder / "state"))
count = 0
def heard(line):
    global count
    count += "sent" in line
connection = Connection(f"https://localhost:{port}", trusted)
join(device, key, "tried", connection, 1 << 20, log=heard, ended=lambda: count == rounds)
odd = sorted({"torch", "flwr", "uvicorn", "selvedge.ir"} & set(sys.modules))
print(before, rss("VmHWM:"), count, odd)
"""


def test_a_device_takes_at_most_40_mib_before_it_has_a_model_and_with_one(
    certificate: tuple[Path, Path], grid: HttpsGrid, tmp_path: Path
) -> None:
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(64, 32), torch.nn.ReLU(), torch.nn.Linear(32, 10))
    plan = sv.plan(model, torch.zeros(10, 64), device="stm32f746", optimizer=sv.SGD(0.1))
    sv.emit(plan, "c", tmp_path / "artifact")
    session = sv.load(tmp_path / "artifact", cache=tmp_path / "cache")  # a device is given a library, and compiles none
    found = load_digits()
    np.save(tmp_path / "x.npy", np.float32(found.images[:100] / 16).reshape(-1, 64))
    np.save(tmp_path / "y.npy", np.int32(found.target[:100]))
    layout = Layout.of(state_of(session))
    settings = Federation("tried", rounds=3, clients=1, up="int8")
    running = Server(Coordinator(settings, layout, layout.vector(state_of(session))), tmp_path / "run", SERVER, DEVICES)
    arguments = [
        str(tmp_path),
        str(grid.port),
        str(certificate[0]),
        str(tmp_path / "artifact"),
        "3",
        SERVER.public.hex(),
    ]
    process = subprocess.Popen([sys.executable, "-c", SMALL, *arguments], stdout=subprocess.PIPE, text=True)
    try:
        running.run(grid)
        told = process.communicate(timeout=60)[0]
    finally:
        running.close()
        process.kill()
        process.wait()
    before, most, count, odd = told.split(maxsplit=3)
    assert (int(count), odd.strip()) == (3, "[]")
    assert int(before) <= 40 << 20, f"{int(before):,} B before a model"
    assert int(most) <= 40 << 20, f"{int(most):,} B with a model of {layout.size:,} parameters"
