"""Tables and texts -> a scenario and costs, each refusal naming the field, the value and the fix. Reads no file.

A number is in the base unit of its field; a text may carry a unit: "20ms", "250kB/s", "1Mbit/s", "12KiB", "5mW",
"3.6kJ", "2uJ/B", "8.1TMAC/s", "50%", "yes". Commas part thousands ("1,000"), nothing else; a count may be a fraction
("1/7").
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import MISSING, fields
from difflib import get_close_matches
from fractions import Fraction
from typing import Any

from ..device.sizes import UNITS
from ..errors import InvalidInput
from .costs import Costs, Cut, Run, Step
from .quantity import KINDS, Kind, kinds
from .scenario import SECTIONS, Scenario

OWN = tuple(kinds(Scenario))  # fields of the scenario itself
_NUMBER = re.compile(r"((?:[0-9]{1,3}(?:,[0-9]{3})+|[0-9]+)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]{1,3})?)(?![0-9,.])\s*(.*)")
_RATIO = re.compile(r"([0-9]{1,9})\s*/\s*([0-9]{1,9})")
_PREFIX = {"": 1.0, "n": 1e-9, "u": 1e-6, "µ": 1e-6, "m": 1e-3, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12}
_TIME = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "min": 60.0, "h": 3600.0}
LONGEST = 60  # characters of a number with its unit
MOST = 10**100  # what products of such numbers still stay below infinity with
_YES, _NO = ("true", "yes", "on", "1"), ("false", "no", "off", "0")


def scenario(table: Mapping[str, Any], options: Mapping[str, str] | None = None) -> Scenario:
    """``table``: a TOML document's. ``options``: "section.field" (or the scenario's own "field") -> text, which go
    before the table. Raises ``InvalidInput``; for an unknown key with the one that was meant."""
    found: dict[str, Any] = {}
    sections: dict[str, dict[str, Any]] = {name: {} for name in SECTIONS}
    for key, value in table.items():
        if key in SECTIONS:
            if not isinstance(value, Mapping):
                raise InvalidInput(key, value, f"give a table, [{key}], of fields")
            for name, own in value.items():
                kind = _known(kinds(SECTIONS[key]), name, f"field of [{key}]")
                sections[key][name] = read(f"{key}.{name}", own, kind)
        else:
            found[key] = read(key, value, _known(kinds(Scenario), key, "key", SECTIONS))
    for path, text in (options or {}).items():
        section, dot, name = path.rpartition(".")
        if not dot:
            found[name] = read(name, text, _known(kinds(Scenario), name, "field", _paths()))
        else:
            if section not in SECTIONS:
                raise InvalidInput("field", path, near(path, _paths()))
            sections[section][name] = read(path, text, _known(kinds(SECTIONS[section]), name, f"field of {section}"))
    for section, given in sections.items():
        if given or section in ("data", "link"):
            _required(section, SECTIONS[section], given)
            found[section] = SECTIONS[section](**given)
    return Scenario(**found)


def costs(table: Mapping[str, Any], model: str, device: str, ram: int | None, flash: int | None) -> Costs:
    """Costs as a TOML document gives them: [costs.run], [costs.step] and any number of [[costs.cut]], in the model's
    order. ``ram``, ``flash``: bytes that the device has for it, where the table does not say."""
    given: dict[str, Any] = {}
    for key, value in table.items():
        if key in ("run", "step"):
            given[key] = _part({"run": Run, "step": Step}[key], value, f"costs.{key}")
        elif key == "cut":
            if not isinstance(value, list):
                raise InvalidInput("costs.cut", "no list", "write each as [[costs.cut]]")
            given["cuts"] = tuple(_part(Cut, one, "costs.cut") for one in value)
        else:
            kind = _known(kinds(Costs), key, "field of [costs]", ("run", "step", "cut"))
            given[key] = read(f"costs.{key}", value, kind)
    if "run" not in given:
        raise InvalidInput("costs.run", "missing", "give a table [costs.run] with macs and seconds of a prediction")
    return Costs(**{"model": model, "device": device, "ram_bytes": ram, "flash_bytes": flash} | given)


def read(field: str, value: Any, kind: Kind) -> Any:
    """``value`` in the base unit of ``kind``; a text is read with its unit, anything else is left to the check."""
    if not isinstance(value, str) or kind.unit == "text":
        return value
    text = value.strip()
    if kind.unit == "flag":
        if text.lower() not in (*_YES, *_NO):
            raise InvalidInput(field, value or "empty", "give yes or no")
        return text.lower() in _YES
    ratio = _RATIO.fullmatch(text) if kind.unit == "count" else None
    if ratio is not None and int(ratio[2]):
        return int(ratio[1]) / int(ratio[2])
    match = _NUMBER.fullmatch(text) if len(text) <= LONGEST else None
    factor = None if match is None else _factor(match[2].strip(), kind.unit)
    if match is None or factor is None:
        said = text if len(text) <= LONGEST else f"{text[:LONGEST]}..."
        point = "; decimals stand behind a point" if "," in text else ""
        raise InvalidInput(field, said or "empty", f"give {KINDS[kind.unit]}, as {_example(kind.unit)}{point}")
    number = Fraction(match[1].replace(",", "")) * Fraction(str(factor))  # 95 % is 0.95, to the last bit
    if number > MOST:
        raise InvalidInput(field, text, f"give {KINDS[kind.unit]}, {float(MOST):g} at most")
    return int(number) if kind.unit == "B" and number.denominator == 1 else float(number)


def _factor(unit: str, of: str) -> float | None:
    """What ``unit`` is in base units of ``of``; None where it is none of them."""
    if not unit:
        return 1.0
    if of == "share":
        return 0.01 if unit == "%" else None
    if of == "s":
        return _TIME.get(unit)
    if of == "B":
        return float(UNITS[unit]) if unit in UNITS else None
    if of == "B/s":
        bits = re.fullmatch(r"([kMG]?)(?:bit/s|bps)", unit)
        size = unit.removesuffix("/s")
        return _PREFIX[bits[1]] / 8 if bits else float(UNITS[size]) if size != unit and size in UNITS else None
    if of == "J" and unit in ("Wh", "mWh", "kWh"):
        return 3600.0 * {"Wh": 1.0, "mWh": 1e-3, "kWh": 1e3}[unit]
    if of in ("J", "W", "J/B", "MAC", "MAC/s") and unit.endswith(of):
        return _PREFIX.get(unit.removesuffix(of))
    return None


def _example(unit: str) -> str:
    return {
        "B": "12KiB or 12288", "s": "20ms or 0.02", "B/s": "250kB/s or 2Mbit/s", "J": "120J or 1Wh",
        "J/B": "2uJ/B", "W": "5mW", "MAC": "12MMAC or 1.2e7", "MAC/s": "4TMAC/s", "share": "0.95 or 95%",
    }.get(unit, "1000")  # fmt: skip


def _part(kind: type, table: Any, field: str) -> Any:
    if not isinstance(table, Mapping):
        raise InvalidInput(field, table, f"give a table, [{field}]")
    known = kinds(kind)
    given = {k: read(f"{field}.{k}", v, _known(known, k, f"field of [{field}]")) for k, v in table.items()}
    _required(field, kind, given)
    return kind(**given)


def _required(field: str, kind: type, given: Mapping[str, Any]) -> None:
    for f in fields(kind):
        if f.default is MISSING and f.default_factory is MISSING and f.name not in given:
            own = kinds(kind)[f.name]
            raise InvalidInput(f"{field}.{f.name}", "missing", f"give {own.says}, as {_example(own.unit)}")


def _known(known: Mapping[str, Kind], name: str, field: str, others: Iterable[str] = ()) -> Kind:
    if name not in known:
        raise InvalidInput(field, name, near(name, (*known, *others)))
    return known[name]


def _paths() -> list[str]:
    return [*OWN, *(f"{section}.{name}" for section, kind in SECTIONS.items() for name in kinds(kind))]


def near(name: str, known: Iterable[str]) -> str:
    """ "did you mean ...? choose one of ..." """
    found = get_close_matches(name, (names := list(dict.fromkeys(known))), n=1)
    meant = f"did you mean {found[0]}? " if found else ""
    return f"{meant}choose one of {', '.join(names)}"
