"""Who may take part: a file of public keys, a line a device, that a person can read and edit.

    # NAME KEY [PROFILE]
    kitchen 8f2c...64 hexadecimal digits...  stm32f746

KEY is the device's Ed25519 public key; PROFILE, which kind of device it is, where kinds have models of their own.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from ..errors import InvalidInput
from .keys import PUBLIC

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
HEADER = (
    "# Devices that may take part, a line each: NAME KEY [PROFILE]\n"
    "# selvedge federate join --enrol prints a device's line. Who is not here is refused; edit at any time.\n"
)


@dataclass(frozen=True, slots=True)
class Allowed:
    """``keys``: public key by device. ``profiles``: of those that say theirs."""

    keys: Mapping[str, bytes]
    profiles: Mapping[str, str]


def name(text: str) -> str:
    """A device's name. Raises ``InvalidInput``."""
    if not NAME.fullmatch(text):
        raise InvalidInput("device name", text or "empty", "give 1 to 64 letters, digits, dots, dashes or underlines")
    return text


def line(device: str, public: bytes, profile: str = "") -> str:
    """What is to be added to the file to let a device take part."""
    return " ".join(filter(None, (name(device), public.hex(), profile)))


def read(path: Path, profiles: Collection[str]) -> Allowed:
    """The devices of a file; ``profiles``: the kinds that there are. Raises ``InvalidInput``, which names the line."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError) as error:
        raise InvalidInput("allowed devices", str(path), f"it cannot be read ({error})") from None
    keys: dict[str, bytes] = {}
    kinds: dict[str, str] = {}
    for number, text in enumerate(lines, 1):
        parts = text.partition("#")[0].split()
        if not parts:
            continue
        where = f"{path.name} line {number}"
        if not 2 <= len(parts) <= 3 or not NAME.fullmatch(parts[0]):
            raise InvalidInput(where, text.strip()[:80], "give NAME KEY [PROFILE], as join --enrol prints it")
        if not re.fullmatch(f"[0-9a-fA-F]{{{2 * PUBLIC}}}", parts[1]):
            raise InvalidInput(where, parts[1][:80], f"a public key has {2 * PUBLIC} hexadecimal digits")
        device, public = parts[0], bytes.fromhex(parts[1])
        if device in keys or public in keys.values():
            fix = "each device has one line" if device in keys else "another device has this key: each has its own"
            raise InvalidInput(where, device, fix)
        if len(parts) == 3:
            if parts[2] not in profiles:
                raise InvalidInput(where, parts[2], f"this run has the profiles {', '.join(sorted(profiles))}")
            kinds[device] = parts[2]
        keys[device] = public
    return Allowed(keys, kinds)
