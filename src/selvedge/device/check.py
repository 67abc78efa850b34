"""Every problem of a profile at once, and what in it is hard to believe. Pure: a table in, lines out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import MISSING, dataclass, fields
from typing import Any

from selvedge.device.device import Device
from selvedge.device.figures import LANE_BYTES
from selvedge.errors import InvalidInput

PIPES = 2  # vector units of one core
SLOWEST, FASTEST = 1e4, 1e13  # bytes a second that some memory moves


@dataclass(frozen=True, slots=True)
class Doubt:
    """A figure that is allowed and probably wrong, or that nobody can check."""

    field: str
    value: object
    why: str

    def __str__(self) -> str:
        return f"{self.field} is {self.value}: {self.why}"


def problems(table: Mapping[str, Any]) -> list[InvalidInput]:
    """What :class:`Device` would refuse, all of it: each field is tried in a device that is otherwise sound."""
    known = set(Device.__dataclass_fields__)
    found = [
        InvalidInput("field", key, f"choose one of {', '.join(sorted(known))}") for key in table if key not in known
    ]
    for key in ("ram", "flash"):
        if key not in table:
            found.append(InvalidInput(f"device {key}", "missing", f'write {key} = "64KiB"'))
    alone = []
    for key in table:
        if key in known:
            alone += [refused for part in _parts(key, table[key]) if (refused := _refused(part)) is not None]
    if not found and not alone:
        whole = _refused(dict(table))  # what only shows in company: more reserved than there is
        return [whole] if whole is not None else []
    return [*found, *alone]


def _parts(key: str, value: Any) -> Iterator[dict[str, Any]]:
    """``value`` entry by entry, so that one bad entry does not hide the next."""
    if key in ("throughput", "bandwidth", "flash_split", "ram_elsewhere") and isinstance(value, Mapping):
        for name, figure in value.items():
            yield {key: {name: figure}}
    elif key == "energy" and isinstance(value, Mapping):
        for name, figure in value.items():
            inner = figure.items() if isinstance(figure, Mapping) else [(None, figure)]
            for entry, amount in inner:
                yield {key: {name: amount if entry is None else {entry: amount}}}
    elif key == "toolchain" and isinstance(value, Mapping):
        for name, figure in value.items():
            yield {key: {"compiler": ["cc"], name: figure}}
        if "compiler" not in value:
            yield {key: {}}
    elif key in ("sources", "delegates", "times") and isinstance(value, list):
        for entry in value:
            yield {key: [entry]}
    else:
        yield {key: value}


def _refused(part: dict[str, Any]) -> InvalidInput | None:
    sound: dict[str, Any] = {"ram": 2**62, "flash": 2**62}
    try:
        Device(**(sound | part))
    except InvalidInput as error:
        return error
    return None


def doubts(device: Device) -> list[Doubt]:
    """Implausible figures: they would make a plan wrong."""
    return list(_implausible(device))


def absent(device: Device) -> list[str]:
    """What is not planned for want of figures: "without FIGURES no RESULT"."""
    found = []
    levels = ("ram", "flash") if device.flash else ("ram",)
    rates = [] if "float32" in device.throughput else ["throughput.float32"]
    rates += [f"bandwidth.{level}" for level in levels if level not in device.bandwidth]
    if rates and not device.times:
        found.append(f"without {', '.join(rates)} no seconds")
    if device.energy is None:
        found.append("without [energy] no joules")
    if not device.reserved_ram:
        found.append("without reserved_ram no bytes for stack and runtime")
    return found


def unsourced(device: Device) -> list[Doubt]:
    """Figures that nobody can check: without a source, or with one that does not say enough. No plan changes by it."""
    found = [Doubt(name, value, "no source covers it: add a [[sources]]") for name, value in _uncovered(device)]
    for source in device.sources:
        if source.kind == "published" and not (source.document and source.where):
            found.append(Doubt(", ".join(source.figures), "published", "name the document and the place in it"))
        if source.kind == "estimate" and not source.says:
            found.append(Doubt(", ".join(source.figures), "an estimate", "say how it was reckoned"))
    return found


def _implausible(device: Device) -> Iterator[Doubt]:
    clock = device.clock_hz
    if clock is not None and not 1e4 <= clock <= 1e10:
        yield Doubt("clock_hz", f"{clock:g}", "give hertz, as 64e6 for 64 MHz")
    for dtype, rate in device.throughput.items():
        lanes = max(1, device.vector_bytes // LANE_BYTES.get(dtype, 4))
        if device.vector_bytes == 0:
            lanes = max(1, 4 // LANE_BYTES.get(dtype, 4))  # integer SIMD within a register
        basis = device.basis(f"throughput.{dtype}")
        if basis is not None and basis.kind == "measured":
            continue  # the clock that a system tells may be below the one it runs at
        if clock is not None and rate > clock * lanes * PIPES:
            yield Doubt(
                f"throughput.{dtype}", f"{rate:g}", f"more than clock x {lanes} lanes x {PIPES}: give MAC/s of one core"
            )
        if clock is not None and rate < clock / 1e4:
            yield Doubt(f"throughput.{dtype}", f"{rate:g}", "under one MAC in 10,000 cycles: give MAC/s, as 12.8e6")
    for level, rate in device.bandwidth.items():
        if not SLOWEST <= rate <= FASTEST:
            yield Doubt(f"bandwidth.{level}", f"{rate:g}", "give bytes a second, as 128e6 for 128 MB/s")
    order = [device.bandwidth[level] for level in ("cache", "ram") if level in device.bandwidth]
    if order != sorted(order, reverse=True):
        yield Doubt("bandwidth.ram", f"{device.bandwidth['ram']:g}", "faster than the cache")
    if device.overhead_s > 1e-2:
        yield Doubt("overhead_s", f"{device.overhead_s:g}", "give seconds, as 2e-6 for 2 microseconds")
    if device.energy is not None:
        if device.energy.static_w > 1e3:
            yield Doubt("energy.static_w", f"{device.energy.static_w:g}", "give watts, as 0.011 for 11 mW")
        for name, prices in (("mac_j", device.energy.mac_j), ("byte_j", device.energy.byte_j)):
            for key, price in prices.items():
                if price > 1e-6:
                    yield Doubt(f"energy.{name}.{key}", f"{price:g}", "give joules, as 1e-11 for 10 pJ")
    if device.vector_bytes > 256:
        yield Doubt("vector_bytes", device.vector_bytes, "give bytes: 16 for 128 bits")
    if device.flash and device.flash < 4096:
        yield Doubt("flash", device.flash, "give bytes, or a size as 512KiB")


def figures(device: Device) -> list[tuple[str, object]]:
    """Every figure of a device that somebody must have got from somewhere."""
    names = ["ram", "flash", "clock_hz", "vector_bytes", "alignment", "reserved_ram", "overhead_s", "cache"]
    found = [(n, getattr(device, n)) for n in names if getattr(device, n) not in (None, 0) or n == "vector_bytes"]
    found += [(f"throughput.{k}", v) for k, v in device.throughput.items()]
    found += [(f"bandwidth.{k}", v) for k, v in device.bandwidth.items()]
    found += [(f"ram_elsewhere.{k}", v) for k, v in device.ram_elsewhere.items()]
    for f in fields(device.flash_split):
        value = getattr(device.flash_split, f.name)
        if value != (0 if f.default is MISSING else f.default):
            found.append((f"flash_split.{f.name}", value))
    if device.storage is not None:
        found.append(("storage.size", device.storage.size))
        found += [("storage.endurance", device.storage.endurance)] if device.storage.endurance else []
    found += [(f"delegates.{d.name}", d.kind) for d in device.delegates]
    if device.energy is not None:
        found += [("energy.static_w", device.energy.static_w)] if device.energy.static_w else []
        found.append(("energy.band", device.energy.band))
        found += [(f"energy.mac_j.{k}", v) for k, v in device.energy.mac_j.items()]
        found += [(f"energy.byte_j.{k}", v) for k, v in device.energy.byte_j.items()]
    return [*found, *([("times", len(device.times))] if device.times else [])]


def _uncovered(device: Device) -> list[tuple[str, object]]:
    """Without the alignment where it is what follows from the vectors, whoever has written it."""
    implied = ("alignment", max(device.vector_bytes, 8))
    return [one for one in figures(device) if one != implied and device.basis(one[0]) is None]
