"""What work costs on a device: a roofline in time, and energy where the device has figures for it.

Williams et al., *Roofline: an insightful visual performance model*, CACM 52(4), 2009, section 3: work takes
the longer of its arithmetic and its traffic; here each kernel adds a fixed overhead. A cost without figures
is None, never a guess.
"""

from __future__ import annotations

from collections.abc import Mapping

from selvedge.device.device import LEVELS, Device, Rates
from selvedge.errors import InvalidInput


def seconds(
    device: Device,
    macs: int,
    bytes_by_level: Mapping[str, int],
    dtype: str = "float32",
    kernels: int = 0,
) -> float | None:
    """Seconds of ``kernels`` launches that do ``macs`` multiply-accumulates and move the given bytes.

    max(macs / throughput[dtype], sum over levels of bytes / bandwidth) + kernels * overhead.
    ``bytes_by_level`` counts bytes read plus written at "cache", "ram" and "flash". None if the device
    lacks a figure that is needed. Raises :class:`InvalidInput` for a negative quantity or an unknown level.
    """
    _check(macs, bytes_by_level, kernels)
    compute = _quotient({dtype: macs}, device.throughput)
    memory = _quotient(bytes_by_level, device.bandwidth)
    if compute is None or memory is None:
        return None
    return max(compute, memory) + kernels * device.overhead_s


def joules(
    device: Device,
    macs: int,
    bytes_by_level: Mapping[str, int],
    dtype: str = "float32",
    kernels: int = 0,
) -> float | None:
    """Joules of the same work: static power over its time, plus energy per MAC and per byte where given.

    None if the device has no energy figures, or lacks one that is needed.
    """
    time = seconds(device, macs, bytes_by_level, dtype, kernels)
    energy = device.energy
    if energy is None or (time is None and energy.static_w > 0):
        return None
    total = energy.static_w * (time or 0.0)
    for amounts, figures in (({dtype: macs}, energy.mac_j), (bytes_by_level, energy.byte_j)):
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


def _check(macs: int, bytes_by_level: Mapping[str, int], kernels: int) -> None:
    for level in bytes_by_level:
        if level not in LEVELS:
            raise InvalidInput("memory level", level, f"choose one of {', '.join(LEVELS)}")
    for field, value in {"macs": macs, "kernels": kernels, **bytes_by_level}.items():
        if value < 0:
            raise InvalidInput(field, value, "give a count >= 0")
