"""Tables and figures of a profile -> the parts of a device, each refusal naming the field."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any, cast

from selvedge.device.figures import (
    BAND,
    COUNTS,
    KINDS,
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
from selvedge.device.sizes import parse_bytes
from selvedge.errors import InvalidInput

VECTORS = (0, 8, 16, 32, 64)  # widths that the kernels have
DELEGATES = ("npu", "gpu", "dsp", "cluster")


def text(field: str, value: object) -> str:
    if not isinstance(value, str) or not value:
        raise InvalidInput(f"device {field}", value, "write a non-empty string")
    return value


def positive(field: str, value: object, *, zero: bool = False) -> float:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    least = cast(float, value) >= 0 if zero and number else number and cast(float, value) > 0
    if not least or not math.isfinite(cast(float, value)):
        raise InvalidInput(f"device {field}", value, f"give a finite number {'>= 0' if zero else '> 0'}")
    return float(cast(float, value))


def line(field: str, value: object) -> str:
    if not isinstance(value, str):
        raise InvalidInput(f"device {field}", value, "write a string")
    return value


def vector(field: str, value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value not in VECTORS:
        raise InvalidInput(f"device {field}", value, f"give one of {', '.join(map(str, VECTORS))}, in bytes")
    return value


def power(field: str, value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 1 or value & (value - 1):
        raise InvalidInput(f"device {field}", value, "give a power of two, in bytes")
    return value


def table(field: str, value: object, keys: Sequence[str] = ()) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise InvalidInput(f"device {field}", value, "give a table of names and values")
    for key in value:
        if not isinstance(key, str):
            raise InvalidInput(f"device {field}", key, "give strings as names")
        if keys and key not in keys:
            raise InvalidInput(f"device {field}", key, f"choose one of {', '.join(keys)}")
    return value


def rates(field: str, value: object, keys: Sequence[str] = (), *, zero: bool = False) -> Rates:
    pairs = table(field, value, keys).items()
    return Rates(tuple(sorted((key, positive(f"{field}.{key}", rate, zero=zero)) for key, rate in pairs)))


def sizes(field: str, value: object) -> Rates:
    """Bytes by name."""
    pairs = table(field, value).items()
    return Rates(tuple(sorted((key, parse_bytes(size, f"device {field}.{key}")) for key, size in pairs)))


def strings(field: str, value: object) -> tuple[str, ...]:
    listed = isinstance(value, Sequence) and not isinstance(value, str)
    if not listed or not all(isinstance(item, str) for item in cast(Sequence[object], value)):
        raise InvalidInput(f"device {field}", value, "give a list of strings")
    return tuple(cast(Sequence[str], value))


def energy(value: Energy | Mapping[str, Any] | None) -> Energy | None:
    if value is None or isinstance(value, Energy):
        return value
    given = table("energy", value, ("static_w", "mac_j", "byte_j", "band"))
    return Energy(
        positive("energy.static_w", given.get("static_w", 0.0), zero=True),
        rates("energy.mac_j", given.get("mac_j", {}), tuple(LANE_BYTES)),
        rates("energy.byte_j", given.get("byte_j", {}), LEVELS),
        positive("energy.band", given.get("band", BAND), zero=True),
    )


def toolchain(value: Toolchain | Mapping[str, Any] | None) -> Toolchain | None:
    if value is None or isinstance(value, Toolchain):
        return value
    given = table("toolchain", value, ("compiler", "flags"))
    compiler = strings("toolchain.compiler", given.get("compiler", ()))
    if not compiler:
        raise InvalidInput("device toolchain.compiler", "", 'give its command, as ["arm-none-eabi-gcc"]')
    return Toolchain(compiler, strings("toolchain.flags", given.get("flags", ())))


def flash_split(value: FlashSplit | Mapping[str, Any]) -> FlashSplit:
    if isinstance(value, FlashSplit):
        return value
    names = tuple(f.name for f in fields(FlashSplit))
    given = table("flash_split", value, names)
    return FlashSplit(**{key: parse_bytes(size, f"device flash_split.{key}") for key, size in given.items()})


def storage(value: Storage | Mapping[str, Any] | None) -> Storage | None:
    if value is None or isinstance(value, Storage):
        return value
    given = table("storage", value, ("size", "endurance"))
    size = parse_bytes(given.get("size", 0), "device storage.size")
    if size == 0:
        raise InvalidInput("device storage.size", given.get("size", 0), 'give its bytes, as "8GiB"')
    endurance = given.get("endurance", 0)
    if not isinstance(endurance, int) or isinstance(endurance, bool) or endurance < 0:
        raise InvalidInput("device storage.endurance", endurance, "give a whole number of writes, 0 if unknown")
    return Storage(size, endurance)


def kernel_time(value: KernelTime | Mapping[str, Any]) -> KernelTime:
    if isinstance(value, KernelTime):
        return value
    given = table("times", value, ("family", "dtype", *COUNTS))
    return KernelTime(
        text("times.family", given.get("family")),
        text("times.dtype", given.get("dtype")),
        rates("times", {k: v for k, v in given.items() if k in COUNTS}, zero=True),
    )


def delegate(value: Delegate | Mapping[str, Any]) -> Delegate:
    if isinstance(value, Delegate):
        return value
    given = table("delegates", value, ("name", "kind", "ops", "memory", "runtime"))
    if given.get("kind") not in DELEGATES:
        raise InvalidInput("device delegates.kind", given.get("kind"), f"choose one of {', '.join(DELEGATES)}")
    return Delegate(
        text("delegates.name", given.get("name")),
        given["kind"],
        rates("delegates.ops", given.get("ops", {})),
        parse_bytes(given.get("memory", 0), "device delegates.memory"),
        text("delegates.runtime", given.get("runtime")),
    )


def source(value: Source | Mapping[str, Any]) -> Source:
    if isinstance(value, Source):
        return value
    given = table("sources", value, ("figures", "kind", "document", "where", "says"))
    if given.get("kind") not in KINDS:
        raise InvalidInput("device sources.kind", given.get("kind"), f"choose one of {', '.join(KINDS)}")
    return Source(
        strings("sources.figures", given.get("figures", ())),
        given["kind"],
        str(given.get("document", "")),
        str(given.get("where", "")),
        str(given.get("says", "")),
    )
