"""What carries messages between a server and its devices: the real network, or one in virtual time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from ..message import Message


@dataclass(frozen=True, slots=True)
class Delivery:
    """``top``: a message as it came, from nobody who is known yet; or what there is before its ``body``, with the
    SHA-256 of that, of a grid that has its devices in this process and knows that this is what they made."""

    top: bytes
    body: bytes | None = field(default=None, kw_only=True)
    digest: bytes | None = field(default=None, kw_only=True)

    @property
    def data(self) -> bytes:
        """All of the message."""
        return self.top if self.body is None else self.top + self.body

    @property
    def size(self) -> int:
        """Bytes of it."""
        return len(self.top) + len(self.body or b"")


class Grid(Protocol):
    """At least once: what :meth:`receive` gave comes again until :meth:`done` was told of it."""

    def now(self) -> float:
        """Seconds, never less than before."""
        ...

    def here(self) -> Mapping[str, str]:
        """Devices that can be asked now, and the part of the model that each has, "" for all of it."""
        ...

    def send(self, client: str, message: Message) -> None:
        """A task for ``client``, in place of an earlier one. Its body is that of many: it is not to be copied."""
        ...

    def withdraw(self, client: str) -> None:
        """Its task is over: who has not asked for it yet does not get it any more, and its message is let go of."""
        ...

    def receive(self, until: float) -> Delivery | None:
        """The next message, or None once it is ``until``."""
        ...

    def done(self, delivery: Delivery) -> None: ...
