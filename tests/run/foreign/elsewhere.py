"""What an artifact learns in a process without torch, and what another process makes of what that has saved."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

LEARN = """
import json, sys
hidden = sys.argv[1] != "pt2"
if hidden:
    sys.modules["torch"] = None  # an import of it fails, as where it is not installed
import numpy as np
import selvedge as sv
folder, data, kept, mode = sys.argv[2:]
given = np.load(data)
x, y = given["x"], given["y"] if "y" in given.files else None
session = sv.load(folder)
if mode == "resume":
    session.resume(kept)
losses = [session.step(x, y) for _ in range(50)]
if mode == "learn":
    session.save(kept)
    losses += [session.step(x, y) for _ in range(50)]
assert not hidden or sys.modules["torch"] is None
assert not {"onnx", "selvedge.ir"} & set(sys.modules)
print(json.dumps({"losses": losses, "steps": session.steps}))
"""


def learns_and_goes_on(target: str, emitted: Mapping[str, Any], folder: Path) -> None:
    """A hundred steps in one process; fifty, and fifty from what was saved, in another: the same losses, and they fall.
    ``emitted``: "folder" of the artifact, "x", "y" or None, and "name". Of ``pt2`` torch is the runtime."""
    data = folder / "data.npz"
    np.savez(data, **{n: emitted[n] for n in ("x", "y") if emitted[n] is not None})
    told = []
    for mode in ("learn", "resume"):
        arguments = [target, str(emitted["folder"]), str(data), str(folder / "kept.npz"), mode]
        made = subprocess.run([sys.executable, "-c", LEARN, *arguments], capture_output=True, text=True, check=False)
        assert made.returncode == 0, made.stderr
        told.append(json.loads(made.stdout))
    losses = told[0]["losses"]
    assert (len(losses), told[0]["steps"], told[1]["steps"]) == (100, 100, 100)
    print(f"{target} {emitted['name']}: loss {losses[0]:.4f} -> {losses[-1]:.4f} in 100 steps")
    assert np.mean(losses[-10:]) < 0.8 * np.mean(losses[:10])
    assert told[1]["losses"] == losses[50:]
