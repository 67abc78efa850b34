"""Device profiles as text."""

from __future__ import annotations

import json
import textwrap
from dataclasses import asdict

from ..device import Device
from ..device import devices as names
from ..device.sizes import format_bytes

WIDTH = 100


def listing(as_json: bool) -> str:
    """Every built-in profile, a line each."""
    found = [Device.load(n) for n in names() if n != "this-machine"]
    if as_json:
        return json.dumps([_plain(d) for d in found], indent=1)
    lines = [f"{'device':<24}{'RAM':>10}{'flash':>10}{'clock':>10}  about"]
    for d in found:
        clock = "-" if d.clock_hz is None else f"{d.clock_hz / 1e6:.0f} MHz"
        figures = f"{d.name:<24}{format_bytes(d.ram):>10}{format_bytes(d.flash):>10}{clock:>10}  "
        lines += textwrap.wrap(d.summary or "-", WIDTH, initial_indent=figures, subsequent_indent=" " * len(figures))
    lines.append(f"{'this-machine':<24}{'measured when it is asked for':<30}")
    return "\n".join(lines)


def one(name: str, as_json: bool) -> str:
    """One profile, with the source of every figure."""
    d = Device.load(name)
    if as_json:
        return json.dumps(_plain(d), indent=1)
    lines = [str(d), f"  reserved RAM   {format_bytes(d.reserved_ram)}", f"  vectors        {d.vector_bytes} B"]
    lines += [f"  throughput     {k}: {v:.3g} MAC/s" for k, v in d.throughput.items()]
    lines += [f"  bandwidth      {k}: {v:.3g} B/s" for k, v in d.bandwidth.items()]
    lines.append(
        "  energy         " + ("no figures" if d.energy is None else f"{d.energy.static_w:.3g} W while it runs")
    )
    lines.append("  sources")
    for s in d.sources:
        said = " ".join(filter(None, (f"{', '.join(s.figures)} ({s.kind}):", s.document, s.where, s.says)))
        lines += textwrap.wrap(said, WIDTH, initial_indent="    ", subsequent_indent="      ")
    return "\n".join(lines)


def _plain(d: Device) -> dict[str, object]:
    data = {f: getattr(d, f) for f in d.__dataclass_fields__}
    data["throughput"], data["bandwidth"] = dict(d.throughput), dict(d.bandwidth)
    data["toolchain"] = None if d.toolchain is None else asdict(d.toolchain)
    data["sources"] = [asdict(s) for s in d.sources]
    data["energy"] = (
        None
        if d.energy is None
        else {"static_w": d.energy.static_w, "mac_j": dict(d.energy.mac_j), "byte_j": dict(d.energy.byte_j)}
    )
    return data
