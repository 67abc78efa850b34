"""``python -m benchmarks.sparse [--quick] [--reference]``: latency and bytes of sparse weights, into docs/sparse.md.

--reference measures the table by which plans choose, make/sparse_times.json, and nothing else. --quick: few rounds;
printed, not written. Exit codes: 1 if a peer is missing that belongs here; its row says why.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

from selvedge.artifact import files
from selvedge.device import Device
from selvedge.make.sparse_times import FILE

from ..command import command
from ..environment import caption, environment
from ..peers.contestant import Missing, reason
from ..written import ROOT, figures, results, tables
from . import layers, nets, reference, table
from .cortex_m import report
from .shapes import SMALL

WIDTH = 32  # AVX2
QUICK = 5  # rounds


def cortex_m() -> Iterator[dict[str, Any]]:
    device = Device.load("stm32f446")
    try:
        for m in reference.measured(SMALL, device, lambda program: report(program, device)):
            counts = {name: round(s.seconds * 1e9) for name, s in m.kernels.items()}
            yield {"network": m.shape.name, "layer": str(m.shape), "instructions": counts}
    except Missing as error:
        yield {"failed": reason(error), "missing": True}


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sparse", description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--reference", action="store_true")
    given = parser.parse_args(arguments)
    if given.reference:
        files.write(FILE, reference.text().encode())
        return 0
    rounds = QUICK if given.quick else layers.ROUNDS
    about, start = environment(), time.perf_counter()
    parts: dict[str, Callable[[], Iterator[dict[str, Any]]]] = {
        "layers": lambda: layers.rows(WIDTH, rounds),
        "scalar": lambda: layers.rows(0, rounds),
        "nets": lambda: nets.rows(WIDTH, rounds),
        "scalar_nets": lambda: nets.rows(0, rounds),
        "cortex_m": cortex_m,
    }
    result: dict[str, Any] = {}
    for name, rows in parts.items():
        result[name] = []
        for row in rows():
            result[name].append(row)
            print(f"{name}: {row.get('network', '')} {row.get('layer', row.get('pattern', ''))}", file=sys.stderr)
    result = {"about": {**about, "seconds": round(time.perf_counter() - start, 1)}, **result}
    texts = {
        "sparse-layers": table.layers(result["layers"]),
        "sparse-bytes": table.stored(result["layers"]),
        "sparse-scalar": table.layers(result["scalar"]),
        "sparse-nets": table.nets(result["nets"]),
        "sparse-scalar-nets": table.nets(result["scalar_nets"]),
        "sparse-peers": table.peers(result["layers"]),
        "sparse-cortex-m": table.instructions(result["cortex_m"]),
        "sparse-about": caption(result["about"], ("torch", "onnxruntime")),
    }
    if given.quick:
        print("\n\n".join(texts.values()))
    else:
        figures(result, results("sparse"))
        tables(ROOT / "docs" / "sparse.md", texts)
    missing = [way for row in result["layers"] for way in row["ways"].values() if way.get("missing")]
    missing += [row for row in result["cortex_m"] if row.get("missing")]
    return 1 if missing else 0


if __name__ == "__main__":
    command("benchmarks.sparse", main)
