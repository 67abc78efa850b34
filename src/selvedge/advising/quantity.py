"""Fields of a scenario: each says its unit, what it is, and where its default comes from; one check for all of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields
from typing import Any

from ..artifact.number import finite
from ..errors import InvalidInput

# Kind -> what a value of it must be; numbers are in base units.
KINDS: Mapping[str, str] = {
    "count": "a number >= 0",
    "B": "a whole number of bytes >= 0",
    "s": "seconds >= 0",
    "B/s": "bytes a second >= 0",
    "J": "joules >= 0",
    "J/B": "joules a byte >= 0",
    "W": "watts >= 0",
    "MAC": "multiply-accumulates >= 0",
    "MAC/s": "multiply-accumulates a second > 0",
    "money": "an amount >= 0, in your currency",
    "share": "a share from 0 to 1",
    "flag": "true or false",
    "text": "a text",
}

LARGE = 128  # bits of a whole number that is not printed: Python refuses to where it has thousands of digits


@dataclass(frozen=True, slots=True)
class Kind:
    """``unit``: a key of ``KINDS``. ``says``: what the field is. ``source``: of its default; "assumption: ..." where
    nothing was published, "" where the default is no claim (none, never, no limit). ``choices``: of a text."""

    unit: str
    says: str
    source: str = ""
    choices: tuple[str, ...] = ()
    positive: bool = False


def quantity(
    unit: str,
    says: str,
    *,
    default: Any = MISSING,
    source: str = "",
    choices: tuple[str, ...] = (),
    positive: bool = False,
) -> Any:
    """A dataclass field that carries its :class:`Kind`; without a default it must be given."""
    kind = {"kind": Kind(unit, says, source, choices, positive)}
    return field(metadata=kind) if default is MISSING else field(default=default, metadata=kind)


def kinds(owner: Any) -> dict[str, Kind]:
    """Field name -> its kind, of a dataclass or one of its values."""
    return {f.name: f.metadata["kind"] for f in fields(owner) if "kind" in f.metadata}


def checked(value: Any, section: str) -> None:
    """Raise ``InvalidInput`` for the first field of ``value`` that is not of its kind; None is allowed by default."""
    defaults = {f.name: f.default for f in fields(value)}
    for name, kind in kinds(value).items():
        found = getattr(value, name)
        if found is None and defaults[name] is None:
            continue
        if not _fits(found, kind):
            large = isinstance(found, int) and found.bit_length() > LARGE
            said = f"a number of {found.bit_length():,} bits" if large else found
            raise InvalidInput(f"{section}.{name}", said, f"give {_wanted(kind)} ({kind.says})")
        if kind.unit not in ("flag", "text"):
            whole = kind.unit == "B"
            object.__setattr__(value, name, int(found) if whole else float(found))


def _fits(value: object, kind: Kind) -> bool:
    if kind.unit == "flag":
        return isinstance(value, bool)
    if kind.unit == "text":
        return isinstance(value, str) and (not kind.choices or value in kind.choices)
    number = finite(value)
    if number is None or number < 0 or (kind.unit == "share" and number > 1) or (kind.unit == "B" and number % 1):
        return False
    return number > 0 if kind.positive or kind.unit == "MAC/s" else True


def _wanted(kind: Kind) -> str:
    if kind.choices:
        return f"one of {', '.join(kind.choices)}"
    return KINDS[kind.unit].replace(">= 0", "> 0") if kind.positive else KINDS[kind.unit]
