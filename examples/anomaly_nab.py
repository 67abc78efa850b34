"""An autoencoder of 48 values learns a series online, from nothing, in 16 KiB; what it rebuilds badly is odd.  [NAB]"""

import json
import os
import sys
import tarfile

import numpy as np
import torch
from nets.small_autoencoder import make

import selvedge as sv

path = (*sys.argv[1:], os.environ.get("SELVEDGE_DATA", "../shared/data") + "/nab/nab_data_labels_results.tar.xz")[0]
if not os.path.isfile(path):
    sys.exit(f"{path}: not there; give data/ and labels/ of github.com/numenta/NAB as .tar.xz, or set SELVEDGE_DATA")
with tarfile.open(path) as files:
    nab = {f.name: files.extractfile(f).read().decode() for f in files if f.isfile() and f.name[0] in "dl"}
labels = {n: w for n, w in json.loads(nab["labels/combined_windows.json"]).items() if "KnownCause" in n}
torch.manual_seed(0)
sgd = sv.SGD(lr=0.001, momentum=0.9, clip_value=1.0)
plan = sv.plan(
    make(48), torch.zeros(1, 48), loss="reconstruction", device="nrf52832", budget="ram=16KiB", optimizer=sgd
)
print(f"windows found by the K oddest moments; K labelled windows; one setting for all; {plan.arena_bytes:,} B")
for name, windows in labels.items():
    times, values = np.array([line.split(",") for line in nab[f"data/{name}"].splitlines()[1:]]).T
    values, warm = np.float32(values), min(750, len(values) * 15 // 100)  # nothing is reported while it warms up
    x = np.lib.stride_tricks.sliding_window_view((values - values[:warm].mean()) / values[:warm].std(), 48)[:, None]
    online, frozen, found = sv.compile(plan), sv.compile(plan), [0, 0, 0]
    _ = [frozen.step(window) for _ in range(4) for window in x[: warm - 47]]  # then it stands still
    errors = [[online.step(w) for w in x], [np.square(frozen.predict(w) - w).mean() for w in x], x[:, 0, -1] ** 2]
    for i, error in enumerate(np.array(errors)):
        sums, moments = np.cumsum(np.append(0, error)), []  # odd: against the mean error of the 1000 moments before
        odd = np.array([error[t] / (sums[t] - sums[max(0, t - 1000)]) * min(t, 1000) for t in range(warm - 47, len(x))])
        while len(moments) < len(windows):
            moments.append(times[warm + odd.argmax()])
            odd[max(0, odd.argmax() - 100) : odd.argmax() + 100] = 0
        found[i] = sum(any(start <= moment <= end for moment in moments) for start, end in windows)
    print(f"{name[15:-4]:40} K = {len(windows)}: online {found[0]}, frozen {found[1]}, the value itself {found[2]}")
