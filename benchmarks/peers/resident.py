"""What a whole PyTorch process grows by: ``python -m benchmarks.peers.resident SPEC BATCH FOLDED``, a fresh process.

The kernel's own count: resident bytes before the model exists, and their highest mark over three eager steps (reset
through ``/proc/self/clear_refs``).
"""

from __future__ import annotations

import gc
import json
import os
import subprocess
import sys
from pathlib import Path

from .contestant import Failed

ROOT = Path(__file__).parents[2]
STEPS = 3


def grown(spec: str, batch: int, folded: bool) -> dict[str, int]:
    """{"before": resident bytes before the model, "growth": of the peak over that}. Raises :class:`Failed`."""
    done = subprocess.run(
        [sys.executable, "-m", __name__, spec, str(batch), str(int(folded))],
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise Failed(f"its process failed: {done.stderr.strip().splitlines()[-1][:100]}")
    figures: dict[str, int] = json.loads(done.stdout)
    return figures


def status(field: str) -> int:
    """Bytes of a field of ``/proc/self/status`` that is written in kB."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) * 1024
    raise Failed(f"the kernel tells no {field}")


def main(spec: str, batch: str, folded: str) -> None:
    import torch

    from ..work import RATE, WithLoss, Work

    def train(module: torch.nn.Module, *arguments: torch.Tensor | None) -> None:
        optimizer = torch.optim.SGD(module.parameters(), lr=RATE)
        for _ in range(STEPS):
            optimizer.zero_grad(set_to_none=True)
            module(*arguments).backward()
            optimizer.step()

    torch.set_num_threads(1)
    # What the engine itself loads at its first step belongs to the process, not to the model.
    tiny = torch.nn.Sequential(torch.nn.Conv2d(1, 8, 3), torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.Linear(8, 2))
    train(WithLoss(tiny), torch.zeros(1, 1, 3, 3), torch.zeros(1, dtype=torch.long))
    gc.collect()
    before = status("VmRSS")
    work = Work(spec, int(batch), bool(int(folded)))
    module = WithLoss(work.own)
    Path("/proc/self/clear_refs").write_text("5")
    train(module, work.x, work.y)
    print(json.dumps({"before": before, "growth": status("VmHWM") - before}))


if __name__ == "__main__":
    main(*sys.argv[1:])
