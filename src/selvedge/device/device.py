"""What a device is: sizes, rates, energy and toolchain, and where each figure comes from."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

from selvedge.device import profile
from selvedge.device.sizes import format_bytes, parse_bytes
from selvedge.errors import InvalidInput

LEVELS = ("cache", "ram", "flash")
KINDS = ("published", "estimate", "measured")


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Rates(Mapping[str, float]):
    """A frozen, hashable mapping of names, sorted, to figures: MAC/s by dtype, say. Equal to a dict of the same."""

    pairs: tuple[tuple[str, float], ...] = ()

    def __getitem__(self, key: str) -> float:
        return dict(self.pairs)[key]

    def __iter__(self) -> Iterator[str]:
        return (key for key, _ in self.pairs)

    def __len__(self) -> int:
        return len(self.pairs)

    def __hash__(self) -> int:
        return hash(self.pairs)

    def __repr__(self) -> str:
        return repr(dict(self.pairs))


@dataclass(frozen=True, slots=True)
class Energy:
    """What a step draws: ``static_w`` watts while it runs, joules per MAC (by dtype) and per byte (by level).

    Where only the current of a busy chip is published, ``static_w`` holds it all and the rest is empty.
    """

    static_w: float = 0.0
    mac_j: Rates = Rates()
    byte_j: Rates = Rates()


@dataclass(frozen=True, slots=True)
class Toolchain:
    """The C compiler's command, and the flags that select this device."""

    compiler: tuple[str, ...]
    flags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Source:
    """Where figures come from. ``figures`` are field names of the device ("ram", "throughput.float32").

    ``kind``: "published" (``document`` and ``where`` in it), "estimate" (``says`` gives the reasoning), or
    "measured" (here and now).
    """

    figures: tuple[str, ...]
    kind: Literal["published", "estimate", "measured"]
    document: str
    where: str
    says: str


@dataclass(frozen=True, init=False)
class Device:
    """A device. Every size is in bytes, every rate per second.

    ``ram``, ``flash``: what the chip or board has; ``reserved_ram``: what stack and runtime (or the
    operating system) keep of it; ``cache``: bytes of the last private cache, 0 where there is none.
    ``clock_hz``: None if unknown. ``vector_bytes``: the SIMD width kernels may use, 0 for scalar code.
    ``alignment``: of every buffer in the arena, a power of two. ``throughput``: MAC/s of one core by dtype.
    ``bandwidth``: bytes/s, read or written, by level ("cache", "ram", "flash"). ``overhead_s``: seconds
    that one kernel costs beside its work.
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
        fields["name"] = _text("name", name)
        fields["summary"] = summary
        fields["clock_hz"] = None if clock_hz is None else _positive("clock_hz", clock_hz)
        fields["vector_bytes"] = 0 if vector_bytes == 0 else _power("vector_bytes", vector_bytes)
        fields["alignment"] = max(vector_bytes, 8) if alignment is None else _power("alignment", alignment)
        fields["throughput"] = _rates("throughput", throughput)
        fields["bandwidth"] = _rates("bandwidth", bandwidth, LEVELS)
        fields["overhead_s"] = _positive("overhead_s", overhead_s, zero=True)
        fields["energy"] = _energy(energy)
        fields["toolchain"] = _toolchain(toolchain)
        fields["sources"] = tuple(_source(source) for source in sources)
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
        return f"{self.name}{about}: {format_bytes(self.ram)} RAM, {format_bytes(self.flash)} flash"


def _text(field: str, value: object) -> str:
    if not isinstance(value, str) or not value:
        raise InvalidInput(f"device {field}", value, "write a non-empty string")
    return value


def _positive(field: str, value: object, *, zero: bool = False) -> float:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    least = cast(float, value) >= 0 if zero and number else number and cast(float, value) > 0
    if not least or not math.isfinite(cast(float, value)):
        raise InvalidInput(f"device {field}", value, f"give a finite number {'>= 0' if zero else '> 0'}")
    return float(cast(float, value))


def _power(field: str, value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 1 or value & (value - 1):
        raise InvalidInput(f"device {field}", value, "give a power of two, in bytes")
    return value


def _table(field: str, value: object, keys: Sequence[str] = ()) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise InvalidInput(f"device {field}", value, "give a table of names and values")
    for key in value:
        if keys and key not in keys:
            raise InvalidInput(f"device {field}", key, f"choose one of {', '.join(keys)}")
    return value


def _rates(field: str, value: object, keys: Sequence[str] = ()) -> Rates:
    table = _table(field, value, keys)
    return Rates(tuple(sorted((key, _positive(f"{field}.{key}", rate)) for key, rate in table.items())))


def _strings(field: str, value: object) -> tuple[str, ...]:
    listed = isinstance(value, Sequence) and not isinstance(value, str)
    if not listed or not all(isinstance(item, str) for item in cast(Sequence[object], value)):
        raise InvalidInput(f"device {field}", value, "give a list of strings")
    return tuple(cast(Sequence[str], value))


def _energy(value: Energy | Mapping[str, Any] | None) -> Energy | None:
    if value is None or isinstance(value, Energy):
        return value
    table = _table("energy", value, ("static_w", "mac_j", "byte_j"))
    return Energy(
        _positive("energy.static_w", table.get("static_w", 0.0), zero=True),
        _rates("energy.mac_j", table.get("mac_j", {})),
        _rates("energy.byte_j", table.get("byte_j", {}), LEVELS),
    )


def _toolchain(value: Toolchain | Mapping[str, Any] | None) -> Toolchain | None:
    if value is None or isinstance(value, Toolchain):
        return value
    table = _table("toolchain", value, ("compiler", "flags"))
    compiler = _strings("toolchain.compiler", table.get("compiler", ()))
    if not compiler:
        raise InvalidInput("device toolchain.compiler", "", 'give its command, as ["arm-none-eabi-gcc"]')
    return Toolchain(compiler, _strings("toolchain.flags", table.get("flags", ())))


def _source(value: Source | Mapping[str, Any]) -> Source:
    if isinstance(value, Source):
        return value
    table = _table("sources", value, ("figures", "kind", "document", "where", "says"))
    if table.get("kind") not in KINDS:
        raise InvalidInput("device sources.kind", table.get("kind"), f"choose one of {', '.join(KINDS)}")
    return Source(
        _strings("sources.figures", table.get("figures", ())),
        table["kind"],
        str(table.get("document", "")),
        str(table.get("where", "")),
        str(table.get("says", "")),
    )
