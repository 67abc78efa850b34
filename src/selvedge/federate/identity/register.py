"""What an authority has done, as its ledger has it: an entry in, the next state out; no file, no clock, no key."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..message import Refused
from . import credential, revocations, succession
from .credential import Credential
from .published import Published
from .revocations import Revocations
from .succession import Succession

EVENTS = ("began", "enrolled", "revoked", "listed", "rotated")


@dataclass(slots=True)
class Register:
    """``root``: the first key, ``key``: the one that signs now. ``credentials``: by serial. ``revoked``: by serial,
    when and why. ``published``: what the world is to be told."""

    root: bytes = b""
    key: bytes = b""
    credentials: dict[int, Credential] = field(default_factory=dict)
    revoked: dict[int, tuple[int, str]] = field(default_factory=dict)
    successions: list[Succession] = field(default_factory=list)
    revocations: Revocations | None = None

    def apply(self, event: str, at: int, body: Mapping[str, Any]) -> None:
        """Raises ``Refused`` for an entry that cannot be the next one."""
        if (event == "began") is bool(self.root):
            raise Refused("an authority begins once")
        if event == "began":
            self.root = self.key = _bytes(body, "key")
        elif event == "rotated":
            found = succession.read(_bytes(body, "succession"))
            if found.old != self.key or found.number != len(self.successions) + 1:
                raise Refused("a succession of another key")
            self.successions.append(found)
            self.key = found.new
        elif event == "enrolled":
            made = credential.read(_bytes(body, "credential"))
            if made.authority != self.key or made.serial != self.next_serial:
                raise Refused("a credential of another key or serial")
            self.credentials[made.serial] = made
        for serial in body.get("revoked", []):
            if serial not in self.credentials or serial in self.revoked:
                raise Refused(f"serial {serial} cannot be revoked")
            self.revoked[serial] = at, str(body.get("why", ""))
        if "list" in body:
            listed = revocations.read(_bytes(body, "list"))
            number = 0 if self.revocations is None else self.revocations.number
            if listed.authority != self.key or listed.number != number + 1:
                raise Refused("a list of revocations of another key or number")
            self.revocations = listed

    @property
    def next_serial(self) -> int:
        return len(self.credentials) + 1

    def live(self, now: float) -> dict[str, Credential]:
        """By device the newest credential, where it counts."""
        of = sorted(self.credentials.items())
        return {c.name: c for serial, c in of if serial not in self.revoked and now < c.ends}

    def serials(self, now: float) -> list[int]:
        """What a list of revocations has to have: what would count else."""
        return sorted(serial for serial in self.revoked if now < self.credentials[serial].ends)

    def published(self) -> Published:
        assert self.revocations is not None, "an authority begins with a list"
        return Published(self.root, tuple(self.successions), self.revocations)


def _bytes(body: Mapping[str, Any], name: str) -> bytes:
    try:
        return bytes.fromhex(body[name])
    except (KeyError, ValueError, TypeError):
        raise Refused(f"an entry without its {name}") from None
