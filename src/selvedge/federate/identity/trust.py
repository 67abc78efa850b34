"""Whom a device believes to be another device: rules without a file, a socket or a clock of their own."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime

from ..message import Refused
from . import credential
from . import published as publishing
from .credential import Credential
from .published import Published


class Trust:
    """``authorities``: the first public key of each that counts, as a device is given it beforehand. published: what
    these have published, as it was kept or as a server has passed it on. clock: seconds since 1970.

    What was learnt is never unlearnt: a list of revocations of a lower number is refused, and a key that another one
    has followed signs nothing new. The clock cannot be turned back behind the newest list. Where no list is known, or
    one is past its day, :meth:`said` says so; with ``fresh`` no credential is then accepted, for a server that keeps
    a list back is else believed until the credentials themselves end.
    """

    def __init__(
        self, authorities: bytes | Sequence[bytes], published: Iterable[bytes], clock: Callable[[], float],
        fresh: bool = False,
    ) -> None:  # fmt: skip
        """Raises ``Refused`` for what no such authority has published."""
        self._known: dict[bytes, Published | None] = dict.fromkeys(
            (authorities,) if isinstance(authorities, bytes) else authorities
        )
        self._clock, self._fresh = clock, fresh
        for data in published:
            self.learn(data)

    def learn(self, data: bytes) -> bool:
        """Take what an authority has published; whether that was new. Raises ``Refused``, and nothing has changed."""
        found = publishing.read(data)
        if found.root not in self._known:
            raise Refused("of an authority that is not trusted here")
        known = self._known[found.root]
        if known is not None:
            chain, had = [s.data for s in found.successions], [s.data for s in known.successions]
            if chain[: len(had)] != had:
                raise Refused("an authority whose keys are others than they were")
            if found.revocations.number < known.revocations.number:
                was = known.revocations.number
                raise Refused(f"a list of revocations of number {found.revocations.number}, where {was} is known")
            if found.revocations.number == known.revocations.number:
                if found.packed() != known.packed():
                    raise Refused(f"another list of revocations of number {found.revocations.number}")
                return False
        self._known[found.root] = found
        return True

    def open(self, name: str, certificate: bytes) -> bytes:
        """The Ed25519 public key of the device ``name``, 32 bytes. Raises ``Refused``, which says why it is not
        believed."""
        found = self.judged(certificate)
        if found.name != name:
            raise Refused(f"a credential of {found.name}, shown by {name}")
        return found.public

    def judged(self, certificate: bytes) -> Credential:
        """The same of a credential alone, whoever shows it."""
        found = credential.read(certificate)
        root = next((root for root, p in self._known.items() if found.authority in _keys(root, p)), None)
        if root is None:
            raise Refused(f"{found.name} has a credential of an authority that is not trusted here")
        published, now = self._known[root], self._now(root)
        for step in published.successions if published else ():
            if step.old == found.authority and now >= step.grace:
                raise Refused(f"{found.name} has a credential of an authority's key that ended {_day(step.grace)}")
        if now < found.begins:
            raise Refused(f"{found.name} has a credential that begins {_day(found.begins)}")
        if now >= found.ends:
            raise Refused(f"{found.name} has a credential that ended {_day(found.ends)}")
        if published and found.serial in published.revocations.serials:
            raise Refused(f"{found.name} has a credential that was revoked, serial {found.serial}")
        if self._fresh and (said := self._said(root)):
            raise Refused(said)
        return found

    def said(self) -> list[str]:
        """What an operator is to know, a line each: of which authority no list of revocations is known, and which list
        is past its day."""
        return [said for root in self._known if (said := self._said(root))]

    def published(self) -> list[bytes]:
        """What is known, to be kept and to be begun with."""
        return [p.packed() for p in self._known.values() if p is not None]

    def _said(self, root: bytes) -> str:
        published = self._known[root]
        if published is None:
            return f"no list of revocations of the authority {root.hex()[:16]} is known"
        listed = published.revocations
        if self._now(root) < listed.until:
            return ""
        return f"the list of revocations {listed.number} of the authority {root.hex()[:16]} ended {_day(listed.until)}"

    def _now(self, root: bytes) -> float:
        published = self._known[root]
        return max(self._clock(), published.revocations.issued if published else 0)


def _keys(root: bytes, published: Published | None) -> tuple[bytes, ...]:
    return (root, *(s.new for s in published.successions)) if published else (root,)


def _day(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M")
