"""What work costs on a device: time by a measured table or by a roofline, and energy where there are figures for it.

A device that was measured (`selvedge devices measure`) carries, per kernel family and dtype, seconds per call and per
count of work; a kernel's time is their sum. Where there is no entry, Williams et al., *Roofline: an insightful visual
performance model*, CACM 52(4), 2009, section 3: work takes the longer of its arithmetic and its traffic; here each
kernel adds a fixed overhead. A cost without figures is None, never a guess.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from selvedge.device.device import Device
from selvedge.device.figures import COUNTS, LEVELS, Rates
from selvedge.errors import InvalidInput


@dataclass(frozen=True, slots=True)
class Work:
    """What one kernel does.

    macs: multiply-accumulates. bytes_by_level: bytes read plus written at "cache", "ram" and "flash". counts: what a
    measured table prices: "call" (1), "mac" (vectors of multiply-accumulates), "op" (vectors of other arithmetic),
    "single" (what no vector carries, number by number), "libm" (calls of exp and its like), "line" (inner loops begun),
    "byte" (all of them).
    """

    family: str
    dtype: str
    macs: int
    bytes_by_level: Mapping[str, int]
    counts: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({"call": 1.0}))

    def __post_init__(self) -> None:
        for known, given, field_ in ((LEVELS, self.bytes_by_level, "memory level"), (COUNTS, self.counts, "count")):
            for key in given:
                if key not in known:
                    raise InvalidInput(field_, key, f"choose one of {', '.join(known)}")
        for name, value in {"macs": self.macs, **self.counts, **self.bytes_by_level}.items():
            if value < 0:
                raise InvalidInput(name, value, "give a count >= 0")


def kernel_seconds(device: Device, work: Work) -> float | None:
    """Seconds of one kernel: by the device's table where that has its family, else

    max(macs / throughput[dtype], sum over levels of bytes / bandwidth) + overhead. None if a figure is missing.
    """
    measured = next((t for t in device.times if (t.family, t.dtype) == (work.family, work.dtype)), None)
    if measured is not None:
        return sum(amount * measured.seconds.get(name, 0.0) for name, amount in work.counts.items())
    compute = _quotient({work.dtype: work.macs}, device.throughput)
    memory = _quotient(work.bytes_by_level, device.bandwidth)
    if compute is None or memory is None:
        return None
    return max(compute, memory) + device.overhead_s


def seconds(device: Device, works: Iterable[Work]) -> float | None:
    """Seconds of kernels, one after the other; None if any has none."""
    total = 0.0
    for work in works:
        time = kernel_seconds(device, work)
        if time is None:
            return None
        total += time
    return total


def joules(device: Device, works: Iterable[Work]) -> float | None:
    """Joules of the same: static power over their time, plus energy per MAC and per byte where given.

    None if the device has no energy figures, or lacks one that is needed. ``device.energy`` has the error band.
    """
    energy, works = device.energy, tuple(works)
    time = seconds(device, works)
    if energy is None or (time is None and energy.static_w > 0):
        return None
    total = energy.static_w * (time or 0.0)
    for work in works:
        for amounts, figures in (({work.dtype: work.macs}, energy.mac_j), (work.bytes_by_level, energy.byte_j)):
            for key, amount in amounts.items():
                if figures and amount and key not in figures:
                    return None
                total += amount * figures.get(key, 0.0)
    return total


def _quotient(amounts: Mapping[str, int], rates: Rates) -> float | None:
    """The sum of amount / rate; None if an amount that is not 0 has no rate."""
    needed = {key: amount for key, amount in amounts.items() if amount}
    if any(key not in rates for key in needed):
        return None
    return sum(amount / rates[key] for key, amount in needed.items())
