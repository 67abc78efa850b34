"""A run drawn: how good the model was, against rounds, against what was sent, and against time."""

from __future__ import annotations

from pathlib import Path

from ... import draw
from ...artifact import files
from ...device.sizes import format_bytes
from .clock import span
from .report import Report

FILE = "federation.html"  # in a run's folder


def write(report: Report, folder: Path) -> Path:
    path = folder / FILE
    files.write(path, page(report).encode())
    return path


def page(report: Report) -> str:
    """HTML that loads nothing."""
    moves = report.course.moves
    told = [m for m in moves if m.told is not None]
    classes = bool(told) and told[0].told is not None and told[0].told[1] is not None
    most = max((m.up for m in told), default=0)
    unit, size = ("MiB sent by devices", 1 << 20) if most >= 1 << 20 else ("KiB sent by devices", 1 << 10)
    minutes = max((m.seconds for m in told), default=0.0) >= 600
    time = f"{'virtual ' if report.world == 'simulated' else ''}{'minutes' if minutes else 'seconds'}"
    axes = {
        "rounds": [float(m.version) for m in told],
        unit: [m.up / size for m in told],
        time: [m.seconds / (60 if minutes else 1) for m in told],
    }
    parts = []
    for name, across in axes.items():
        values = [(m.told[1] if classes else m.told[0]) or 0.0 for m in told if m.told is not None]
        line = draw.Line("held out", "a", list(zip(across, values, strict=True)))
        what = "Accuracy" if classes else "Loss"
        picture = draw.curves(f"{what} against {name}", name, "right" if classes else "loss", [line], percent=classes)
        parts.append(draw.section(f"{what} against {name}", picture))
    losses = draw.Line("of the devices, before they learn", "b", [(float(m.version), m.loss) for m in moves])
    parts.append(draw.section("Loss", draw.curves("Loss by round", "rounds", "loss", [losses])))
    asked = draw.Line("asked", "b", [(float(m.version), float(m.asked)) for m in moves])
    came = draw.Line("changes that count", "a", [(float(m.version), float(m.changes)) for m in moves])
    lost = draw.Line("lost", "c", [(float(m.version), float(m.lost)) for m in moves])
    parts.append(draw.section("Devices", draw.curves("Devices by round", "rounds", "devices", [asked, came, lost])))
    last = report.last
    rows = [["sent by devices", format_bytes(report.up)], ["sent to devices", format_bytes(report.down)],
            ["time", span(last.seconds if last else 0.0)], ["devices asked", f"{len(report.course.devices):,}"],
            ["lost", f"{report.course.lost:,}"]]  # fmt: skip
    parts.append(draw.section("In all", draw.table(["what", "how much"], rows)))
    if report.refused:
        told_why = [[why, f"{n:,}"] for why, n in sorted(report.refused.items(), key=lambda p: -p[1])]
        parts.append(draw.section("Refused", draw.table(["why", "messages"], told_why)))
    return draw.page(f"{report.name}: a model that devices learn together", parts, subtitle=str(report).splitlines()[0])
