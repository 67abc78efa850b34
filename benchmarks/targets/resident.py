"""``python -m benchmarks.targets.resident TINY FOLDER KIND``: what a process grows by that loads an artifact and
runs it, by the kernel's own count, as JSON.

First an artifact of two layers is loaded and run: what the process has grown by then is the runtime's own. Then
the resident mark is reset (``/proc/self/clear_refs``), and its highest over loading the model and three runs counts,
over what was resident before.
"""

from __future__ import annotations

import gc
import json
import sys
from pathlib import Path
from typing import Any

from .opened import call, data, opened, told

RUNS = 3


def resident(tiny: Path, folder: Path, kind: str) -> dict[str, int]:
    """Bytes: {"runtime", "model"}, and what the runtime itself says of its activations where it says it: {"arena"};
    and {"disk"}, of what is loaded."""
    rate = 0.0 if kind == "train" else None
    before = _status("VmRSS")
    call(opened(tiny / "net"), *data(tiny), rate)()
    gc.collect()
    loaded = _status("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")
    session = opened(folder / "net")
    run = call(session, *data(folder), rate)
    for _ in range(RUNS):
        run()
    return {
        "runtime": loaded - before,
        "model": _status("VmHWM") - loaded,
        **told(session),
        "disk": _disk(session, folder / "net"),
    }


def _disk(session: Any, folder: Path) -> int:
    """Bytes of the files that a device needs of it: programs and state; of ours the library and the weights."""
    manifest = session.manifest
    if manifest.target == "c":
        return Path(session._library._dll._name).stat().st_size + (folder / "weights.bin").stat().st_size
    files = {program.file for program in manifest.programs.values()}
    if manifest.state:
        files.add("state.npz")
    return sum((folder / name).stat().st_size for name in files)


def _status(field: str) -> int:
    """Bytes of a field of ``/proc/self/status`` that is written in kB."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) * 1024
    raise RuntimeError(f"the kernel tells no {field}")


def main(tiny: str, folder: str, kind: str) -> None:
    print(json.dumps(resident(Path(tiny), Path(folder), kind)))


if __name__ == "__main__":
    main(*sys.argv[1:])
