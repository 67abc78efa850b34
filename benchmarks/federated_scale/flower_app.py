"""``PYTHON flower_app.py CLIENTS PARAMETERS ROUNDS``, in flwr's own environment: its simulation of clients that learn
nothing, by its FedAvg. Prints JSON: of each round the seconds by the clock and of the processors of all its
processes, and the most memory of all of them together."""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from itertools import pairwise
from pathlib import Path

os.environ |= {"FLWR_TELEMETRY_ENABLED": "0", "RAY_USAGE_STATS_ENABLED": "0", "FLWR_DISABLE_UPDATE_CHECK": "1"}

import numpy as np
from flwr.app import ArrayRecord, Context, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp
from flwr.serverapp import Grid, ServerApp
from flwr.serverapp.strategy import FedAvg
from flwr.simulation import run_simulation

CLIENTS, PARAMETERS, ROUNDS = map(int, sys.argv[1:4])
TICK = os.sysconf("SC_CLK_TCK")


def tree() -> list[tuple[float, int]]:
    """(seconds of the processor, bytes that are its own) of this process and all below it."""
    found: dict[int, tuple[int, float, int]] = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                fields = (folder / "stat").read_text().rpartition(")")[2].split()
                pages = list(map(int, (folder / "statm").read_text().split()))
            except (OSError, ValueError):
                continue
            took = (int(fields[11]) + int(fields[12])) / TICK
            found[int(folder.name)] = int(fields[1]), took, (pages[1] - pages[2]) * 4096
    mine, more = {os.getpid()}, True
    while more:
        more = {pid for pid, (parent, _, _) in found.items() if parent in mine} - mine
        mine |= more
    return [found[pid][1:] for pid in mine if pid in found]


class Watch:
    """The most memory, looked at twice a second."""

    most = 0

    def run(self) -> None:
        while True:
            self.most = max(self.most, sum(size for _, size in tree()))
            time.sleep(0.5)


watch = Watch()
seen: list[tuple[float, float]] = []
step = np.random.default_rng(61).normal(0, 0.01, (100, PARAMETERS // 100)).astype(np.float32)
client, server = ClientApp(), ServerApp()


@client.train()
def train(message: Message, context: Context) -> Message:
    start = message.content["arrays"].to_numpy_ndarrays()[0]
    content = {"arrays": ArrayRecord([start + step]), "metrics": MetricRecord({"num-examples": 10})}
    return Message(content=RecordDict(content), reply_to=message)


@server.main()
def main(grid: Grid, context: Context) -> None:
    def looked(number: int, arrays: ArrayRecord) -> MetricRecord:
        seen.append((time.perf_counter(), sum(took for took, _ in tree())))
        if number == ROUNDS:  # all were used, and added up
            np.testing.assert_allclose(arrays.to_numpy_ndarrays()[0], ROUNDS * step, rtol=1e-3, atol=1e-5)
        return MetricRecord({"round": number})

    strategy = FedAvg(fraction_train=1.0, fraction_evaluate=0.0, min_train_nodes=CLIENTS, min_available_nodes=CLIENTS)
    first = ArrayRecord([np.zeros_like(step)])
    strategy.start(grid=grid, initial_arrays=first, num_rounds=ROUNDS, evaluate_fn=looked)


threading.Thread(target=watch.run, daemon=True).start()
run_simulation(
    server, client, num_supernodes=CLIENTS, backend_config={"client_resources": {"num_cpus": 1, "num_gpus": 0.0}}
)
if len(seen) != ROUNDS + 1:
    sys.exit(f"{len(seen) - 1} of {ROUNDS} rounds came to an end")
pairs = [(round(b[0] - a[0], 2), round(b[1] - a[1], 2)) for a, b in pairwise(seen)]
print(json.dumps({"wall": [w for w, _ in pairs], "seconds": [s for _, s in pairs], "most": watch.most}))
