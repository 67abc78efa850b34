"""The time table that plans choose kernels by: measured on single layers, judged on others."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from benchmarks.environment import environment
from selvedge.device import Device
from selvedge.device.cost import kernel_seconds
from selvedge.device.figures import KernelTime
from selvedge.make.calibrate import samples
from selvedge.make.calibrate_fit import Sample, fit
from selvedge.make.calibrate_program import Timeable, timeable
from selvedge.make.calibrate_report import Report
from selvedge.make.calibrate_run import here
from selvedge.planning.arrange import arrange

from .cortex_m import report
from .shapes import CHECKED, FITTED, SMALL, SMALL_FITTED, Shape, graphs

WIDTHS = {"avx2": 32, "128 bit": 16}  # bytes of a vector


@dataclass(frozen=True, slots=True)
class Measured:
    """The kernels of one shape, by "dense" or the pattern."""

    shape: Shape
    kernels: dict[str, Sample]


def measured(shapes: Sequence[Shape], device: Device, run: Callable[[Timeable], Report]) -> Iterator[Measured]:
    bare = replace(device, times=())
    for shape in shapes:
        programs = graphs(shape)
        plan = arrange({f"p{i}": g for i, g in enumerate(programs.values())}, bare)
        found = samples(plan, bare, run(timeable(plan, "layers", {})), list(programs))
        yield Measured(shape, {name: own[0] for name, own in zip(programs, found, strict=True)})


def host(width: int) -> tuple[Device, Callable[[Timeable], Report]]:
    """This machine with vectors of ``width`` bytes."""
    lanes = max(1, width // 4)
    device = Device(name=f"{width} B", ram="1GiB", flash="1GiB", vector_bytes=width)
    return device, lambda program: here(program, lanes, "float32", lambda done, of: None)


def table(name: str) -> dict[str, Any]:
    """An entry of make/sparse_times.json."""
    if name in WIDTHS:
        device, run = host(WIDTHS[name])
        fitted, checked, lanes = FITTED, CHECKED, WIDTHS[name] // 4
        where = environment()["cpu"] + ("" if name == "avx2" else ", SSE2 in the place of any core of 128 bits")
    else:
        device = Device.load("stm32f446")
        run = partial(report, device=device)
        fitted, checked, lanes = SMALL_FITTED, SMALL, 1
        where = "instructions of an emulated Cortex-M4, a nanosecond each"
    known = list(measured(fitted, device, run))
    made = fit([s for m in known for s in m.kernels.values()], 2e-8)
    off = list(errors(measured(checked, device, run), device, made))
    date = environment()["date"]
    says = (
        f"{where}, {date}: ratios of {len(off)} layers that were not fitted are off by {np.median(off):.0%}, nine in "
    )
    return {
        "lanes": lanes,
        "source": f"{says}ten by at most {np.quantile(off, 0.9):.0%}",
        "seconds": {t.family: dict(t.seconds) for t in made},
    }


def errors(found: Iterator[Measured], device: Device, made: tuple[KernelTime, ...]) -> Iterator[float]:
    """How far the predicted ratio of sparse and dense is off, as a share."""
    by = replace(device, times=made)
    for m in found:
        dense = m.kernels["dense"]
        for name, sample in m.kernels.items():
            if name == "dense":
                continue
            told, seen = (kernel_seconds(by, s.work) for s in (dense, sample))
            assert told is not None
            assert seen is not None
            yield abs((told / seen) / (dense.seconds / sample.seconds) - 1)


def text() -> str:
    """The file."""
    return json.dumps({name: table(name) for name in (*WIDTHS, "cortex-m4")}, indent=1) + "\n"
