"""``python -m benchmarks.never_worse.evaluator``: judges weights by the official test sheet, which no learner opens.

A line of JSON in - ``weights`` (an .npz of the network's state), ``change`` (of the camera, "" for none) and
``statistics`` ("kept", or "batch": of norms, each batch of 64 its own) - and one out: ``accuracy`` on its 3,000 digits.
"""

from __future__ import annotations

import atexit
import json
import subprocess
import sys
from functools import lru_cache
from pathlib import Path

import numpy as np

HELD = 20  # the sheet


class Evaluator:
    """Another process, until :meth:`close`."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.never_worse.evaluator"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip

    def close(self) -> None:
        self._process.communicate()

    def accuracy(self, weights: Path, change: str = "", statistics: str = "kept") -> float:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        asked = {"weights": str(weights), "change": change, "statistics": statistics}
        self._process.stdin.write(json.dumps(asked) + "\n")
        self._process.stdin.flush()
        return float(json.loads(self._process.stdout.readline())["accuracy"])


@lru_cache(maxsize=1)
def evaluator() -> Evaluator:
    """One for the whole run, which ends it."""
    made = Evaluator()
    atexit.register(made.close)
    return made


def serve() -> None:
    import torch

    from .camera import CHANGES
    from .digits import sheet
    from .starting import float_pictures, network

    torch.set_num_threads(1)
    pixels, labels = sheet(HELD)
    clean = float_pictures(pixels)
    pictures = {"": torch.from_numpy(clean)}
    for line in sys.stdin:
        asked = json.loads(line)
        change = asked["change"]
        if change not in pictures:
            pictures[change] = torch.from_numpy(np.ascontiguousarray(CHANGES[change](clean)))
        net = network()
        with np.load(asked["weights"]) as state:
            net.load_state_dict({name: torch.from_numpy(state[name]) for name in state.files})
        net.train(asked["statistics"] == "batch")
        with torch.no_grad():
            found = torch.cat([net(part) for part in pictures[change].split(64)]).argmax(1).numpy()
        print(json.dumps({"accuracy": float((found == labels).mean())}), flush=True)


if __name__ == "__main__":
    serve()
