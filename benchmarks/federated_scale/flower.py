"""Flower's own simulation (Ray) of as many clients that learn nothing, in its own environment."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from pathlib import Path
from typing import Any

PYTHON = "SELVEDGE_FLOWER_SIMULATION"  # the interpreter that has flwr[simulation]
APP = Path(__file__).with_name("flower_app.py")
PATIENCE = 600  # seconds


def beside(clients: int, parameters: int, rounds: int) -> dict[str, Any]:
    """What ``flower_app`` says, or "failed": why not."""
    found: dict[str, Any] = {"clients": clients, "parameters": parameters, "rounds": rounds}
    python = os.environ.get(PYTHON)
    if not python:
        return {**found, "failed": f"{PYTHON} names no interpreter with flwr[simulation]==1.41.0"}
    with tempfile.TemporaryDirectory() as home:
        env = {n: v for n, v in os.environ.items() if not n.startswith("PYTHON")} | {"FLWR_HOME": home}
        try:
            done = subprocess.run(
                [python, str(APP), str(clients), str(parameters), str(rounds)],
                env=env, capture_output=True, text=True, check=False, timeout=PATIENCE,
            )  # fmt: skip
        except (OSError, subprocess.TimeoutExpired) as error:
            return {**found, "failed": str(error).splitlines()[0].replace(str(APP), APP.name)[:200]}
    if done.returncode:
        lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
        return {**found, "failed": f"it ended with {done.returncode}: {lines[-1][:200] if lines else 'no word'}"}
    return {**found, **json.loads(done.stdout.splitlines()[-1])}
