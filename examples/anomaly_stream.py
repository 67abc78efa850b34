"""Anomalies in a series as it comes, without training or labels, in 4 KiB; it goes on after a restart.  [NAB]"""

import json
import os
import sys
import tarfile
from datetime import datetime

import numpy as np

import selvedge as sv
from selvedge.learn.anomaly.nab import curve, judge

path = (*sys.argv[1:], os.environ.get("SELVEDGE_DATA", "../shared/data") + "/nab/nab_data_labels_results.tar.xz")[0]
if not os.path.isfile(path):
    sys.exit(f"{path}: not there; give data/ and labels/ of github.com/numenta/NAB as .tar.xz, or set SELVEDGE_DATA")
with tarfile.open(path) as files:
    nab = {f.name: files.extractfile(f).read().decode() for f in files if f.isfile() and f.name[0] in "dl"}
labels = {n: w for n, w in json.loads(nab["labels/combined_windows.json"]).items() if "KnownCause" in n}
judged, scores = [], []
for name, windows in labels.items():
    rows = [line.split(",") for line in nab[f"data/{name}"].splitlines()[1:]]
    spans = [[next(i for i, (time, _) in enumerate(rows) if time == t[:19]) for t in window] for window in windows]
    detector = sv.NoveltyDetector()
    score = np.zeros(len(rows))
    for i, (time, value) in enumerate(rows):
        score[i] = detector.update(float(value), datetime.fromisoformat(time).timestamp())
        if i == len(rows) // 2:  # the device restarts
            kept = detector.state_dict()
            detector = sv.NoveltyDetector()
            detector.load_state_dict(kept)
    judged.append(judge(len(rows), spans))
    scores.append(score)
    alarms = [i for i in np.flatnonzero(score >= detector.threshold) if i >= judged[-1].probation]
    hit = {judged[-1].window[i] for i in alarms} - {-1}
    false = sum(judged[-1].window[i] < 0 for i in alarms)
    print(f"{name[15:-4]:40} {len(hit)} of {len(windows)} windows found, {false} false alarms in {len(rows):,} rows")
points = curve(judged, scores).points(detector.threshold)
print(f"{detector.bytes:,} B a stream; NAB's score of these {50 * (points / curve(judged, scores).windows + 1):.1f}")
