"""What dense and sparse kernels take on machines that were measured, so that their ratio is known on others like them.

``python -m benchmarks.sparse --reference`` measures and writes the file: seconds a count of work, as in a device's own
table (``device/cost.py``), of single layers that predict. Of a core without vectors they are instructions of an
emulated Cortex-M4, a nanosecond each: their ratio stands for that of times.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from ..device import Device
from ..device.figures import KernelTime, Rates
from ..planning.sparse_sizes import SPARSE

FILE = Path(__file__).with_name("sparse_times.json")


@dataclass(frozen=True, slots=True)
class Reference:
    """``source``: which machine, when, and how far the table is off on layers that it was not fitted to."""

    name: str
    lanes: int
    source: str
    times: tuple[KernelTime, ...]


@cache
def references() -> tuple[Reference, ...]:
    """By falling number of lanes."""
    found = []
    for name, entry in json.loads(FILE.read_text()).items():
        times = tuple(
            KernelTime(family, "float32", Rates(tuple(sorted(seconds.items()))))
            for family, seconds in entry["seconds"].items()
        )
        found.append(Reference(name, entry["lanes"], entry["source"], times))
    return tuple(sorted(found, key=lambda r: -r.lanes))


def reference(device: Device) -> Reference:
    """The device's own table where it was measured with sparse kernels in it; else that of the machine that has no
    more lanes than it."""
    own = tuple(t for t in device.times if t.family.startswith(("conv2d", *SPARSE)) and t.dtype == "float32")
    lanes = max(1, device.vector_bytes // 4)
    if {"conv2d", "sparse_rows"} <= {t.family for t in own}:
        basis = device.basis("times")
        return Reference(device.name, lanes, "its own table" if basis is None else basis.document, own)
    return next(r for r in references() if r.lanes <= lanes)
