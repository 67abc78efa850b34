"""The calibrating road: a device -> small layers to time -> a report from it -> the same device with a time table."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..artifact import files
from ..artifact.native import native_port
from ..device import Budget, Device, Source, Work
from ..device.cost import kernel_seconds
from ..device.figures import KernelTime
from ..errors import InvalidInput
from ..planning.arrange import arrange
from ..planning.check import check
from ..planning.program import machine, works
from ..planning.schedule import Arrangement
from .calibrate_fit import Error, Sample, error, fit
from .calibrate_layers import ROWS, Layer, graphs, layers
from .calibrate_program import Timeable, timeable
from .calibrate_report import Report

LARGEST = 8 << 20  # bytes of arena that are enough for every layer
STACK = 2048  # bytes of RAM that the harness takes beside its stack: the least times
NAME = "layers"
HELD_OUT_MODELS = ("resnet8", "ds_cnn", "mobilenet_v1_025", "deep_autoencoder")
Runner = Callable[[Timeable, int, str], Report]


@dataclass(frozen=True, slots=True)
class Timed:
    """Layers arranged for a device, and the C that times them."""

    layers: tuple[Layer, ...]
    arrangement: Arrangement
    program: Timeable
    device: Device


@dataclass(frozen=True, slots=True)
class Whole:
    """A held-out program as one: predicted from the table, and measured without a timer inside."""

    name: str
    predicted: float
    measured: float


@dataclass(frozen=True, slots=True)
class Calibration:
    """``device``: with its table. ``fitted``: error on what was fitted; ``held_out``: on what was not, together and by
    model; ``wholes``: whole programs of held-out models. ``short``: kernels too short for the clock."""

    device: Device
    kernels: int
    short: int
    fitted: Error
    held_out: Error
    by_model: Mapping[str, Error]
    wholes: tuple[Whole, ...]

    def to_dict(self) -> dict[str, Any]:
        """The figures, for machines."""
        return {
            "device": self.device.name,
            "kernels": self.kernels,
            "too_short_to_time": self.short,
            "fitted": dataclasses.asdict(self.fitted),
            "held_out": dataclasses.asdict(self.held_out),
            "held_out_by_model": {n: dataclasses.asdict(e) for n, e in self.by_model.items()},
            "held_out_programs": [dataclasses.asdict(w) for w in self.wholes],
            "times": [
                {"family": t.family, "dtype": t.dtype, **{f"{c}_s": s for c, s in t.seconds.items()}}
                for t in self.device.times
            ],
        }


def prepared(device: Device, most: int | None = None) -> Timed:
    """The layers that ``device`` can hold, arranged and as C; the same for the same device, every time.

    most: layers at most. Raises ``InvalidInput`` for a device too small for any.
    """
    bare = dataclasses.replace(device, times=())
    room = ram = min(Budget.of(bare).ram, LARGEST) - STACK
    while ram > 1024:
        chosen = layers(ram, len(ROWS) if most is None else most)
        if chosen:
            arrangement = arrange(graphs(chosen), bare)  # a kernel is timed by itself
            if arrangement.memory.arena <= room:
                check(arrangement)
                return Timed(chosen, arrangement, timeable(arrangement, NAME), bare)
        ram = ram * 9 // 10
    raise InvalidInput("device ram", device.ram, "it is too small to time any layer; give at least 8 KiB to the plan")


def emit(timed: Timed, folder: Path) -> Path:
    """Write the timing program for the user's own firmware: whole, or not at all. Raises ``InvalidInput``."""
    sources = {n: t for n, t in timed.program.sources.items() if n not in ("linked.c", "linked.h")}
    sources["port_cortex_m.c"] = native_port("cortex_m")
    sources["port_posix.c"] = native_port("posix")
    sources["README.txt"] = _readme(timed)
    hashes = {name: hashlib.sha256(text.encode()).hexdigest() for name, text in sorted(sources.items())}
    about = {"kind": "selvedge-calibrate", "device": timed.device.name, "digest": timed.program.digest, "files": hashes}
    with files.directory(folder, lambda earlier: _owned(earlier)) as made:
        for name, text in sources.items():
            (made / name).write_text(text)
        (made / "manifest.json").write_text(json.dumps(about, indent=1))
    return folder


def _owned(folder: Path) -> set[str]:
    try:
        return {"manifest.json", *json.loads((folder / "manifest.json").read_text())["files"]}
    except (ValueError, KeyError, TypeError):
        return {"manifest.json"}


def _readme(timed: Timed) -> str:
    chain = timed.device.toolchain
    command = " ".join((*chain.compiler, *chain.flags)) if chain else "cc"
    return f"""Times {sum(timed.program.kernels)} kernels on {timed.device.name}; plan {timed.program.digest}.

Compile layers.c and calibrate.c into your firmware, with the flags you will use for the model:

    {command} -O2 -std=c99 -ffp-contract=fast -DSELVEDGE_CHECK -c layers.c calibrate.c

and give them a clock and an output: port_cortex_m.c has both for a Cortex-M with an Arm CMSDK UART (set SYSTEM_HZ and
UART, or write its selvedge_put for your chip's). It also has a main that measures for ever. Flash it, then

    selvedge devices measure --device {timed.device.name} --serial /dev/ttyACM0

Its arena takes {timed.arrangement.memory.arena} bytes of RAM, the rest {8 * sum(timed.program.kernels)} or less.
"""


def samples(timed: Arrangement, device: Device, report: Report, labels: Sequence[str]) -> list[list[Sample]]:
    """The measured kernels of every program of ``timed``."""
    made = []
    for p, label, times in zip(timed.programs.values(), labels, report.kernels, strict=True):
        done = {
            k.id: w
            for k, w in zip(
                p.kernels.values(), works(p.kernels.values(), p.instances, device, timed.memory.arena), strict=True
            )
        }
        made.append(
            [Sample(done[i], max(t, 0.0), t < report.floor, label) for i, t in zip(p.order(), times, strict=True)]
        )
    return made


def calibrated(
    timed: Timed, report: Report, origin: str, name: str, models: Iterable[tuple[str, Arrangement, Report]] = ()
) -> Calibration:
    """Fit the table, and say how well it predicts what it has not seen: the held-out layers, or else ``models``.

    origin: where it was measured, for the source. models: (name, its arrangement, its report).
    """
    device = timed.device
    each = samples(timed.arrangement, device, report, [layer.name for layer in timed.layers])
    known = [s for layer, group in zip(timed.layers, each, strict=True) if not layer.held_out for s in group]
    unknown = {"layers": [s for layer, group in zip(timed.layers, each, strict=True) if layer.held_out for s in group]}
    table = fit(known, report.floor)
    wholes = []
    for label, arrangement, measured in models:
        groups = samples(arrangement, device, measured, [label] * len(arrangement.programs))
        unknown[label] = [s for group in groups for s in group]
        for p, group, whole in zip(arrangement.programs, groups, measured.programs, strict=True):
            predicted = _total(dataclasses.replace(device, times=table), [s.work for s in group])
            if predicted is not None:
                wholes.append(Whole(f"{label} {p}", predicted, whole))
    judged = [s for label, group in unknown.items() for s in group if len(unknown) == 1 or label != "layers"]
    held_out, fitted = error(table, judged), error(table, known)
    everything = [*known, *(s for group in unknown.values() for s in group)]
    source = Source(
        ("times",),
        "measured",
        f"selvedge devices measure, plan {timed.program.digest}",
        origin,
        f"{len(known)} kernels of {sum(not x.held_out for x in timed.layers)} layers; on {held_out.kernels} that were "
        f"not fitted the median error is {100 * held_out.median:.0f} %, nine in ten are within "
        f"{100 * held_out.p90:.0f} %",
    )
    others = tuple(s for s in device.sources if s.figures != ("times",))
    made = dataclasses.replace(device, name=name, times=_named(table), sources=(*others, source))
    short = sum(s.short for s in everything)
    by_model = {label: error(table, group) for label, group in unknown.items()}
    return Calibration(made, len(everything), short, fitted, held_out, by_model, tuple(wholes))


def _named(table: tuple[KernelTime, ...]) -> tuple[KernelTime, ...]:
    return tuple(t for t in table if t.seconds)


def _total(device: Device, done: Sequence[Work]) -> float | None:
    times = [kernel_seconds(device, w) for w in done]
    return None if any(t is None for t in times) else float(np.sum([t for t in times if t is not None]))


def held_out_models(device: Device, runner: Runner) -> Iterable[tuple[str, Arrangement, Report]]:
    """The zoo's models planned for ``device`` and timed: layers of sizes that were not fitted, in their own company.

    Nothing where torch is not installed.
    """
    try:
        from ..zoo import make
        from .plan import plan as make_plan
        from .state import initial_state
    except ImportError:
        return
    for name in HELD_OUT_MODELS:
        model, example, loss = make(name)
        made = make_plan(model, example, loss=loss, device=dataclasses.replace(device, times=()), name=name)
        program = timeable(made.arrangement, name, initial_state(made))
        yield name, made.arrangement, runner(program, made.arrangement.lanes, made.arrangement.dtype)


def lanes(device: Device) -> int:
    return machine(device, "float32").lanes


def profile_name(device: Device, wanted: str | None) -> str:
    """The measured profile's own name. Raises ``InvalidInput``."""
    name = wanted or f"{device.name}-measured".replace("-measured-measured", "-measured")
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", name):
        raise InvalidInput("--name", name, "use letters, digits, dots and dashes")
    return name
