"""An autoencoder of a series' last 48 values learns online, from nothing; what it rebuilds badly is odd.  [NAB.tar.xz]

Of the K loudest moments of a series with K labelled windows: how many windows were found? One setting for all series.
"""

import json
import os
import sys
import tarfile

import numpy as np
import torch
from torch.nn import Linear, Sequential, Tanh

import selvedge as sv

path = (*sys.argv[1:], os.environ.get("SELVEDGE_DATA", "../shared/data") + "/nab/nab_data_labels_results.tar.xz")[0]
if not os.path.isfile(path):
    sys.exit(f"{path}: not there; give data/ and labels/ of github.com/numenta/NAB as .tar.xz, or set SELVEDGE_DATA")
with tarfile.open(path) as files:
    nab = {f.name: files.extractfile(f).read().decode() for f in files if "/realK" in f.name or "_windows" in f.name}
labels, total = json.loads(nab["labels/combined_windows.json"]), np.zeros(4, int)
torch.manual_seed(0)
model = Sequential(Linear(48, 16), Tanh(), Linear(16, 8), Tanh(), Linear(8, 16), Tanh(), Linear(16, 48))
sgd = sv.SGD(lr=0.001, momentum=0.9, clip_value=1.0)
plan = sv.plan(model, torch.zeros(1, 48), loss="reconstruction", device="nrf52832", budget="ram=16KiB", optimizer=sgd)
for name in sorted(n for n in labels if n.startswith("realKnownCause") and labels[n]):
    times, values = np.array([line.split(",") for line in nab[f"data/{name}"].splitlines()[1:]]).T
    times, values, warm = times.astype("datetime64[us]"), np.float32(values), min(750, len(values) * 15 // 100)
    x = np.lib.stride_tricks.sliding_window_view((values - values[:warm].mean()) / values[:warm].std(), 48)[:, None]
    online, frozen = sv.compile(plan), sv.compile(plan)
    for window in [*x[: warm - 47]] * 4:
        frozen.step(window)
    errors = [[online.step(w) for w in x], [np.square(frozen.predict(w) - w).mean() for w in x], np.abs(x[:, 0, -1])]
    row = [len(labels[name])]
    for loud in np.array(errors)[:, warm - 47 :]:
        moments = []
        for _ in labels[name]:  # the loudest moment, then the loudest that is 100 samples away from it, ...
            moments.append(times[warm + (at := loud.argmax())])
            loud[max(0, at - 100) : at + 100] = 0
        row.append(sum(any(a <= str(m).replace("T", " ") <= b for m in moments) for a, b in labels[name]))
    print(f"{name[15:-4]:40} of {row[0]} windows: online {row[1]}, frozen {row[2]}, largest value {row[3]}")
    total += row
print(f"in all, of {total[0]}: online {total[1]}, frozen {total[2]}, largest value {total[3]}; {plan.arena_bytes:,} B")
