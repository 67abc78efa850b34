"""``python -m benchmarks``: run everything, print the tables, write them into the README and the figures as JSON."""

from __future__ import annotations

import json
import platform
import sys
from pathlib import Path

import torch

import selvedge as sv
from selvedge.artifact import files
from selvedge.artifact.toolchain import find_compiler

from . import memory, steps

ROOT = Path(__file__).parents[1]


def main() -> int:
    device = sv.Device.load("this-machine")
    made = {"steps": steps, "memory": memory}
    readme = (ROOT / "README.md").read_text()
    slow: list[str] = []
    for name, benchmark in made.items():
        rows = benchmark.run(device)
        text = benchmark.table(rows)
        print(f"\n## {name}\n\n{text}", flush=True)
        about = {
            "python": platform.python_version(),
            "torch": torch.__version__,
            "compiler": find_compiler().version,
            "threads": torch.get_num_threads(),
            "vector_bytes": device.vector_bytes,
        }
        data = json.dumps({"about": about, "rows": rows}, indent=1)
        files.write(ROOT / "benchmarks" / "results" / f"{name}.json", data.encode())
        readme = replaced(readme, name, text)
        if name == "steps":
            slow = [f"{r['model']} at batch 1" for r in rows if r["batch"] == 1 and r["times_faster"]["median"] < 1]
    files.write(ROOT / "README.md", readme.encode())
    for row in slow:
        print(f"slower than PyTorch: {row}")
    return 1 if slow else 0


def replaced(readme: str, name: str, text: str) -> str:
    """``readme`` with the table between the markers of ``name`` replaced."""
    start, end = f"<!-- bench:{name} -->", f"<!-- /bench:{name} -->"
    if start not in readme:
        return readme
    before, _, rest = readme.partition(start)
    _, _, after = rest.partition(end)
    return f"{before}{start}\n{text}\n{end}{after}"


sys.exit(main())
