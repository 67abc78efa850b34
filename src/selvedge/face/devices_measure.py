"""`selvedge devices measure`: progress on the way, a profile at the end, and a table of how good it is."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import Progress

from ..artifact import files
from ..device import Device
from ..device.sizes import format_bytes
from ..device.writing import to_toml
from ..errors import InvalidInput
from ..make import calibrate, calibrate_run
from ..make.calibrate_program import Timeable
from ..make.calibrate_report import Report

LEAST = 16 << 20  # bytes of RAM, with less of which no device runs this program itself


@dataclass(frozen=True, slots=True)
class Wish:
    """The command's options."""

    device: str
    ssh: str | None
    ssh_config: str | None
    serial: str | None
    baud: int
    timeout: float
    emit: Path | None
    out: Path | None
    name: str | None
    layers: int | None
    models: bool


@dataclass(frozen=True, slots=True)
class Result:
    """What was written where, and the calibration it comes from (None where only the program was written)."""

    written: Path
    calibration: calibrate.Calibration | None
    layers: int
    kernels: int

    def to_dict(self) -> dict[str, Any]:
        figures = {"layers": self.layers, "kernels": self.kernels} if self.calibration is None else {}
        return {"written": str(self.written), **figures, **(self.calibration.to_dict() if self.calibration else {})}

    def __str__(self) -> str:
        return _text(self)


def run(wish: Wish, quiet: bool) -> Result:
    """Measure, or write the program to measure with. Raises ``SelvedgeError``; nothing is half-written."""
    chosen = [n for n, given in (("--ssh", wish.ssh), ("--serial", wish.serial), ("--emit", wish.emit)) if given]
    if len(chosen) > 1:
        raise InvalidInput(chosen[1], "given", f"choose one of {' and '.join(chosen)}")
    if chosen and wish.device == "this-machine":
        raise InvalidInput("--device", "this-machine", f"name the board's profile: {chosen[0]} is for another device")
    if wish.layers is not None and wish.layers < 4:
        raise InvalidInput("--layers", wish.layers, "give at least 4")
    device = Device.load(wish.device)
    if not chosen and device.ram < LEAST:
        ways = "give --emit DIR and flash what it writes, then --serial PORT"
        fix = f"with {format_bytes(device.ram)} of RAM it is not the machine this runs on: {ways}"
        raise InvalidInput("--device", wish.device, fix)
    out = wish.out or Path(f"{calibrate.profile_name(device, wish.name)}.toml")
    if wish.emit is None and out.suffix != ".toml":
        raise InvalidInput("--out", str(out), "name a .toml file")
    name = calibrate.profile_name(device, wish.name)
    timed = calibrate.prepared(device, wish.layers)
    kernels = sum(timed.program.kernels)
    if wish.emit is not None:
        return Result(calibrate.emit(timed, wish.emit), None, len(timed.layers), kernels)
    with _bar(quiet) as bar:
        report = _report(wish, timed.program, timed.arrangement.lanes, timed.arrangement.dtype, device, bar)
        models = []
        if wish.models and not wish.serial:
            for label, arrangement, measured in calibrate.held_out_models(
                timed.device, lambda p, lanes, dtype: _report(wish, p, lanes, dtype, device, bar)
            ):
                models.append((label, arrangement, measured))
    origin = f"serial {wish.serial}" if wish.serial else f"ssh {wish.ssh}" if wish.ssh else "this machine"
    made = calibrate.calibrated(timed, report, origin, name, models)
    files.write(out, to_toml(made.device).encode())
    return Result(out, made, len(timed.layers), kernels)


class _Bar:
    """One task a program."""

    def __init__(self, progress: Progress) -> None:
        self.progress = progress

    def task(self, name: str) -> calibrate_run.Progress:
        task = self.progress.add_task(name, total=None)
        return lambda done, of: self.progress.update(task, completed=done, total=of)


@contextmanager
def _bar(quiet: bool) -> Iterator[_Bar]:
    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=quiet or not console.is_terminal) as progress:
        yield _Bar(progress)


def _report(wish: Wish, program: Timeable, lanes: int, dtype: str, device: Device, bar: _Bar) -> Report:
    progress = bar.task(program.name)
    if wish.serial:
        return calibrate_run.over_serial(program, wish.serial, wish.baud, wish.timeout, progress)
    if wish.ssh:
        return calibrate_run.over_ssh(program, device, wish.ssh, wish.ssh_config, lanes, progress)
    return calibrate_run.here(program, lanes, dtype, progress)


def _text(result: Result) -> str:
    made = result.calibration
    if made is None:
        how = "README.txt there says how it is built and flashed"
        return f"written to {result.written}: {result.kernels} kernels of {result.layers} layers; {how}"
    lines = [f"{'':<24}{'kernels':>9}{'median error':>14}{'p90':>8}"]
    rows = [("fitted", made.fitted), ("held out", made.held_out), *((f"  {n}", e) for n, e in made.by_model.items())]
    for name, e in rows:
        lines.append(f"{name:<24}{e.kernels:>9}{_percent(e.median):>14}{_percent(e.p90):>8}")
    if made.wholes:
        lines += ["", f"{'held-out program':<34}{'predicted':>12}{'measured':>12}"]
        lines += [f"{w.name:<34}{1e6 * w.predicted:>9.0f} µs{1e6 * w.measured:>9.0f} µs" for w in made.wholes]
    said = (
        f"{len(made.device.times)} kernel families; {made.short} of {made.kernels} kernels were too short for the "
        f"clock and are not judged. Written to {result.written}: `--device {result.written}` plans with it."
    )
    return "\n".join([*lines, "", *textwrap.wrap(said, 100)])


def _percent(share: float) -> str:
    return "-" if share != share else f"{100 * share:.0f} %"
