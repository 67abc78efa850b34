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
        return json.dumps([plain(d) for d in found], indent=1)
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
        return json.dumps(plain(d), indent=1)
    lines = [str(d), f"  reserved RAM   {format_bytes(d.reserved_ram)}", f"  vectors        {d.vector_bytes} B"]
    lines += [f"  RAM elsewhere  {k}: {format_bytes(int(v))}, not the arena's" for k, v in d.ram_elsewhere.items()]
    split = {k: v for k, v in asdict(d.flash_split).items() if v}
    lines += [f"  flash          {k.replace('_', ' ')}: {format_bytes(v)}, not the plan's" for k, v in split.items()]
    lines += [f"  throughput     {k}: {v:.3g} MAC/s" for k, v in d.throughput.items()]
    lines += [f"  bandwidth      {k}: {v:.3g} B/s" for k, v in d.bandwidth.items()]
    if d.storage is not None:
        worn = f", {d.storage.endurance:,} writes of each byte" if d.storage.endurance else ""
        lines.append(f"  storage        {format_bytes(d.storage.size)} to page to{worn}")
    if d.times:
        lines.append(f"  time table     measured, {len(d.times)} kernel families")
    lines.append(f"  energy         {_energy(d)}")
    for g in d.delegates:
        peak = ", ".join(f"{v:.3g} {k} op/s" for k, v in g.ops.items()) or "peak not published"
        memory = f"{format_bytes(g.memory)} of its own" if g.memory else "in RAM"
        text = f"{g.name} ({g.kind}): {peak}; memory {memory}; reached by {g.runtime}"
        lines += textwrap.wrap(text, WIDTH, initial_indent="  delegate       ", subsequent_indent=" " * 17)
    lines.append("  sources")
    for s in d.sources:
        said = " ".join(filter(None, (f"{', '.join(s.figures)} ({s.kind}):", s.document, s.where, s.says)))
        lines += textwrap.wrap(said, WIDTH, initial_indent="    ", subsequent_indent="      ")
    return "\n".join(lines)


def _energy(d: Device) -> str:
    if d.energy is None:
        told = d.basis("energy")
        return "no counter" if told is not None and told.kind == "measured" else "no figures"
    return f"{d.energy.static_w:.3g} W while it runs, right to a factor of {1 + d.energy.band:.2g}"


def plain(d: Device) -> dict[str, object]:
    """A device as JSON has it."""
    data = {f: getattr(d, f) for f in d.__dataclass_fields__}
    for key in ("throughput", "bandwidth", "ram_elsewhere"):
        data[key] = dict(data[key])
    data["flash_split"] = asdict(d.flash_split)
    data["storage"] = None if d.storage is None else asdict(d.storage)
    data["toolchain"] = None if d.toolchain is None else asdict(d.toolchain)
    data["sources"] = [asdict(s) for s in d.sources]
    data["times"] = [{"family": t.family, "dtype": t.dtype, **t.seconds} for t in d.times]
    data["delegates"] = [
        {"name": g.name, "kind": g.kind, "ops": dict(g.ops), "memory": g.memory, "runtime": g.runtime}
        for g in d.delegates
    ]
    e = d.energy
    data["energy"] = (
        None
        if e is None
        else {"static_w": e.static_w, "mac_j": dict(e.mac_j), "byte_j": dict(e.byte_j), "band": e.band}
    )
    return data
