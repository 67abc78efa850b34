"""What a device is: sizes, rates, energy and toolchain, and where each figure comes from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from selvedge.device import profile, reading
from selvedge.device.figures import (
    LANE_BYTES,
    LEVELS,
    Delegate,
    Energy,
    FlashSplit,
    KernelTime,
    Rates,
    Source,
    Storage,
    Toolchain,
)
from selvedge.device.sizes import format_bytes, parse_bytes
from selvedge.errors import InvalidInput

NOTHING = FlashSplit()


@dataclass(frozen=True, init=False)
class Device:
    """A device. Every size is in bytes, every rate per second.

    ``ram``, ``flash``: what the chip or board has (flash 0: no limit); ``reserved_ram``: what stack and runtime (or the
    operating system) keep of it; ``cache``: bytes of the last private cache, 0 where there is none.
    ``clock_hz``: None if unknown. ``vector_bytes``: the SIMD width kernels may use, 0 for scalar code.
    ``alignment``: of every buffer in the arena, a power of two. ``throughput``: MAC/s of one core by dtype.
    ``bandwidth``: bytes/s, read or written, by level ("cache", "ram", "flash"). ``overhead_s``: seconds
    that one kernel costs beside its work.

    ``flash_split``: what of the flash code and weights may not use. ``ram_elsewhere``: bytes by name of RAM that is not
    contiguous with ``ram``, and so not the arena's. ``times``: measured, per kernel family and dtype; where a kernel
    has an entry, it is taken instead of throughput, bandwidth and overhead. ``delegates``: accelerators at hand.
    ``storage``: what values can be paged out to, None where there is nothing.
    """

    name: str
    summary: str
    ram: int
    reserved_ram: int
    flash: int
    cache: int
    clock_hz: float | None
    vector_bytes: int
    alignment: int
    throughput: Rates
    bandwidth: Rates
    overhead_s: float
    energy: Energy | None
    toolchain: Toolchain | None
    flash_split: FlashSplit
    ram_elsewhere: Rates
    times: tuple[KernelTime, ...]
    delegates: tuple[Delegate, ...]
    storage: Storage | None
    sources: tuple[Source, ...]

    def __init__(
        self,
        *,
        ram: int | str,
        flash: int | str,
        name: str = "custom",
        summary: str = "",
        reserved_ram: int | str = 0,
        cache: int | str = 0,
        clock_hz: float | None = None,
        vector_bytes: int = 0,
        alignment: int | None = None,
        throughput: Mapping[str, float] = Rates(),
        bandwidth: Mapping[str, float] = Rates(),
        overhead_s: float = 0.0,
        energy: Energy | Mapping[str, Any] | None = None,
        toolchain: Toolchain | Mapping[str, Any] | None = None,
        flash_split: FlashSplit | Mapping[str, Any] = NOTHING,
        ram_elsewhere: Mapping[str, Any] = Rates(),
        times: Iterable[KernelTime | Mapping[str, Any]] = (),
        delegates: Iterable[Delegate | Mapping[str, Any]] = (),
        storage: Storage | Mapping[str, Any] | None = None,
        sources: Iterable[Source | Mapping[str, Any]] = (),
    ) -> None:
        """Sizes are bytes, or strings such as "64KiB" and "1MiB". Raises :class:`InvalidInput`."""
        sizes = {"ram": ram, "flash": flash, "reserved_ram": reserved_ram, "cache": cache}
        fields: dict[str, Any] = {key: parse_bytes(size, f"device {key}") for key, size in sizes.items()}
        if fields["ram"] == 0:
            raise InvalidInput("device ram", ram, "give the bytes of RAM, as 64KiB")
        if fields["reserved_ram"] >= fields["ram"]:
            fix = f"leave something of the {format_bytes(fields['ram'])} of RAM to the plan"
            raise InvalidInput("device reserved_ram", reserved_ram, fix)
        fields["name"] = reading.text("name", name)
        fields["summary"] = reading.line("summary", summary)
        fields["clock_hz"] = None if clock_hz is None else reading.positive("clock_hz", clock_hz)
        fields["vector_bytes"] = reading.vector("vector_bytes", vector_bytes)
        fields["alignment"] = max(vector_bytes, 8) if alignment is None else reading.power("alignment", alignment)
        fields["throughput"] = reading.rates("throughput", throughput, tuple(LANE_BYTES))
        fields["bandwidth"] = reading.rates("bandwidth", bandwidth, LEVELS)
        fields["overhead_s"] = reading.positive("overhead_s", overhead_s, zero=True)
        fields["energy"] = reading.energy(energy)
        fields["toolchain"] = reading.toolchain(toolchain)
        fields["flash_split"] = split = reading.flash_split(flash_split)
        if split.reserved and split.reserved >= fields["flash"]:
            fix = f"leave something of the {format_bytes(fields['flash'])} of flash to code and weights"
            raise InvalidInput("device flash_split", format_bytes(split.reserved), fix)
        fields["ram_elsewhere"] = reading.sizes("ram_elsewhere", ram_elsewhere)
        fields["times"] = tuple(reading.kernel_time(time) for time in _listed("times", times))
        fields["delegates"] = tuple(reading.delegate(delegate) for delegate in _listed("delegates", delegates))
        fields["storage"] = reading.storage(storage)
        fields["sources"] = tuple(reading.source(source) for source in _listed("sources", sources))
        for key, value in fields.items():
            object.__setattr__(self, key, value)

    @classmethod
    def load(cls, name: str | Path) -> Device:
        """A built-in device by name, a user's profile by the path of its ``.toml``, or "this-machine".

        "this-machine" is measured on the spot, which takes about a second. Raises :class:`InvalidInput` for
        an unknown name, an unreadable file, and unknown, missing or bad figures in it.
        """
        table = profile.read(name)
        known = set(cls.__dataclass_fields__)
        for key in table:
            if key not in known:
                raise InvalidInput(f"field of {name}", key, f"choose one of {', '.join(sorted(known))}")
        for key in ("ram", "flash"):
            if key not in table:
                raise InvalidInput(f"{key} of {name}", "missing", f'write {key} = "64KiB" in the profile')
        return cls(**table)

    def basis(self, figure: str) -> Source | None:
        """The source of a figure, say "throughput.float32"; a source of "throughput" covers it too."""
        parts = figure.split(".")
        covering = {".".join(parts[: n + 1]) for n in range(len(parts))}
        return next((source for source in self.sources if covering & set(source.figures)), None)

    def __str__(self) -> str:
        about = f" ({self.summary})" if self.summary else ""
        flash = f"{format_bytes(self.flash)} flash" if self.flash else "flash without limit"
        return f"{self.name}{about}: {format_bytes(self.ram)} RAM, {flash}"


def _listed(field: str, value: Iterable[Any]) -> Iterable[Any]:
    if isinstance(value, str | Mapping) or not isinstance(value, Iterable):
        raise InvalidInput(f"device {field}", value, f"give a list of tables, each written as [[{field}]]")
    return value
