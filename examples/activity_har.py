"""A 1-D CNN knows how 22 people move; the 23rd's device learns its owner, in 64 KiB.  [ARCHIVE [SUBJECT]]"""

import os
import sys
import tarfile

import numpy as np
import torch
from nets.small_cnn_1d import make

import selvedge as sv

default = os.environ.get("SELVEDGE_DATA", "../shared/data") + "/har_sp_sw_23subjects/sp-sw-har-dataset.tar.xz"
path, owner = (*sys.argv[1:], *(default, "s06")[len(sys.argv) - 1 :])
if not os.path.isfile(path) or owner not in [f"s{i:02}" for i in range(1, 24)]:
    sys.exit(f"{path} or {owner}: not there; give GeoTecINIT/sp-sw-har-dataset as .tar.xz and s01 to s23")
LABELS, UNITS = ("SEATED", "STANDING_UP", "WALKING", "TURNING", "SITTING_DOWN"), np.float32([[5, 5, 5, 1, 1, 1]]).T
with tarfile.open(path) as files:  # a walk with the phone each: six axes, time, label
    walks = {f.name[-13:]: np.loadtxt(files.extractfile(f), str, None, ",", None, 1) for f in files if "_sp." in f.name}
mine, known = [], []  # a second of the six axes [6, 100] and the activity in its middle, every half second
for name, rows in walks.items():
    x = np.lib.stride_tricks.sliding_window_view(rows[:, :6].astype(np.float32), 100, axis=0)[::50] / UNITS
    labels = np.int32([LABELS.index(label) for label in rows[50::50, 7]])[: len(x), None]
    (mine if name.startswith(owner) else known).extend(zip(x[:, None], labels, strict=True))
test, xs, ys = mine[len(mine) // 2 :], *(torch.tensor(np.concatenate(part)) for part in zip(*known, strict=True))
for seed in range(3):
    torch.manual_seed(seed)
    model = make(len(LABELS))
    adam = torch.optim.Adam(model.parameters(), lr=3e-3)
    for batch in torch.randint(len(ys), (500, 64)):
        adam.zero_grad()
        torch.nn.functional.cross_entropy(model(xs[batch]), ys[batch].long()).backward()
        adam.step()
    session = sv.compile(sv.plan(model, xs[:1], device="nrf52832", optimizer=sv.SGD(3e-4, 0.9), update="auto"))
    frozen = np.mean([session.predict(x).argmax() == y for x, y in test])
    for i in np.random.default_rng(seed).integers(len(mine) - len(test), size=1000):  # earlier walks than the test's
        session.step(*mine[i])
    adapted = np.mean([session.predict(x).argmax() == y for x, y in test])
    dummy = np.mean([y == 2 for _, y in test])  # always walking
    print(f"{owner}: dummy {dummy:.1%}, frozen {frozen:.1%}, adapted {adapted:.1%} in {session.arena_bytes:,} B")
