"""A small DS-CNN knows five voices; the device learns a sixth from five examples a digit.  [ARCHIVE [SPEAKER]]"""

import os
import sys
import tarfile

import numpy as np
import torch
from nets.small_ds_cnn import make

import selvedge as sv

default = os.environ.get("SELVEDGE_DATA", "../shared/data") + "/fsdd/fsdd_recordings.tar.xz"
path, speaker = (*sys.argv[1:], *(default, "george")[len(sys.argv) - 1 :])
if not os.path.isfile(path):
    sys.exit(f"{path}: not there; give recordings/ of free-spoken-digit-dataset as .tar.xz, or set SELVEDGE_DATA")
with tarfile.open(path) as files:  # the first 0.65 s at 8 kHz, without its header
    raw = {f.name: files.extractfile(f).read()[44:10476].ljust(10432, b"\0") for f in files if ".wav" in f.name}
waves = np.stack([np.frombuffer(raw[name], "<i2") for name in raw]) / 32768
frames = np.lib.stride_tricks.sliding_window_view(waves, 256, axis=1)[:, ::160] * np.hanning(256)
points = 700 * (10 ** (np.linspace(93, 2109, 22) / 2595) - 1)  # 20 bands, 60 Hz to 3.8 kHz, evenly on the mel scale
rise = (np.fft.rfftfreq(256, 1 / 8000)[:, None] - points[:-1]) / np.diff(points)
mel = np.log(np.abs(np.fft.rfft(frames)) ** 2 @ np.minimum(rise[:, :-1], 1 - rise[:, 1:]).clip(0) + 1e-6)
x, y = np.float32((mel - mel.mean(1, keepdims=True)) / 3)[:, None], np.int32([n.split("/")[-1][0] for n in raw])
own = np.array([f"_{speaker}_" in name for name in raw])
own.any() or sys.exit(f"{speaker}: no such speaker; give george, jackson, lucas, nicolas, theo or yweweler")
_, sgd, rate = torch.manual_seed(0), sv.SGD(0.01, 0.9, clip_norm=1), sv.Cosine(0.01, 200)  # five words at a time shake
adam = torch.optim.Adam((model := make(classes=10)).parameters(), lr=3e-3)
for batch in np.random.default_rng(0).choice(np.flatnonzero(~own), (800, 32)):
    adam.zero_grad()
    moved, target = torch.tensor(np.roll(x[batch], batch[0] % 9 - 4, 2)), torch.tensor(y[batch]).long()
    torch.nn.functional.cross_entropy(model(moved), target).backward()
    adam.step()
plan = sv.plan(model.eval(), torch.tensor(x[:5]), device="stm32f746", optimizer=sgd, update="auto")
for seed in range(3):
    session, rng = sv.compile(plan), np.random.default_rng(seed)
    few = np.array([rng.choice(np.flatnonzero(own & (y == digit)), 5, replace=False) for digit in range(10)])
    test = np.setdiff1d(np.flatnonzero(own), few).reshape(-1, 5)
    frozen = np.mean([session.predict(x[i]).argmax(1) == y[i] for i in test])
    for step, i in enumerate(np.concatenate([rng.permutation(few.ravel()).reshape(-1, 5) for _ in range(20)])):
        session.step(np.roll(x[i], rng.integers(-4, 5), 2), y[i], lr=rate.lr(step))
    adapted = np.mean([session.predict(x[i]).argmax(1) == y[i] for i in test])
    print(f"{speaker}: guessing 10%, frozen {frozen:.1%}, adapted {adapted:.1%} in {plan.arena_bytes:,} B")
