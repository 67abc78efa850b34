"""A device as the TOML of its profile: what `Device.load` reads back as the same device."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields

from selvedge.device.device import Device


def to_toml(device: Device) -> str:
    """The profile's text. Figures that are zero or empty by default are left out."""
    lines = [f"name = {_value(device.name)}", f"summary = {_value(device.summary)}"]
    for key in ("ram", "reserved_ram", "flash", "cache", "clock_hz", "vector_bytes", "alignment", "overhead_s"):
        value = getattr(device, key)
        if value is not None:
            lines.append(f"{key} = {_value(value)}")
    split = {f.name: getattr(device.flash_split, f.name) for f in fields(device.flash_split)}
    lines += _table("flash_split", {k: v for k, v in split.items() if v})
    lines += _table("ram_elsewhere", {k: int(v) for k, v in device.ram_elsewhere.items()})
    lines += _table("throughput", device.throughput)
    lines += _table("bandwidth", device.bandwidth)
    if device.energy is not None:
        lines += _table("energy", {"static_w": device.energy.static_w, "band": device.energy.band})
        lines += _table("energy.mac_j", device.energy.mac_j)
        lines += _table("energy.byte_j", device.energy.byte_j)
    if device.storage is not None:
        lines += _table("storage", {"size": device.storage.size, "endurance": device.storage.endurance})
    if device.toolchain is not None:
        lines += _table("toolchain", {"compiler": device.toolchain.compiler, "flags": device.toolchain.flags})
    for delegate in device.delegates:
        lines += ["", "[[delegates]]"]
        for key in ("name", "kind", "memory", "runtime"):
            lines.append(f"{key} = {_value(getattr(delegate, key))}")
        lines.append(f"ops = {{ {', '.join(f'{_key(k)} = {_value(v)}' for k, v in delegate.ops.items())} }}")
    for time in device.times:
        lines += ["", "[[times]]", f"family = {_value(time.family)}", f"dtype = {_value(time.dtype)}"]
        lines += [f"{_key(k)} = {_value(v)}" for k, v in time.seconds.items()]
    for source in device.sources:
        lines += ["", "[[sources]]"]
        lines += [f"{f.name} = {_value(getattr(source, f.name))}" for f in fields(source)]
    return "\n".join(lines) + "\n"


def _table(name: str, pairs: Mapping[str, object]) -> list[str]:
    return ["", f"[{name}]", *(f"{_key(k)} = {_value(v)}" for k, v in pairs.items())] if pairs else []


def _key(key: str) -> str:
    return key if key.replace("_", "").replace("-", "").isalnum() and key.isascii() else _value(key)


def _value(value: object) -> str:
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, tuple | list):
        return f"[{', '.join(map(_value, value))}]"
    return repr(value)
